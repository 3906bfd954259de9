/* SPDX-License-Identifier: MIT */
/*
 * task - one task in detail; result - the same for one that must be DONE.
 *
 * begin → selected awaits the row → row awaits the sizes and the tail of the output (executor)
 * → told.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"
#include "daemon/tasks/output.h"
#include "daemon/tasks/view.h"

enum { DETAIL_TAIL_LINES = 5, DETAIL_TAIL_BYTES = 4096 };

struct detail_params {
    const msgpack_object *id;
    bool env;
};

static const struct field detail_fields[] = {
    {"id", FIELD_OBJECT, true, offsetof(struct detail_params, id), 0},
    {"env", FIELD_BOOL, false, offsetof(struct detail_params, env), 0},
};

/* What the executor finds out; it frees itself when the frame has gone. */
struct detail_output {
    int output_fd; /* borrowed: outlives the executor */
    uint64_t id;
    uint32_t attempt;
    bool abandoned;
    bool finished;
    bool split;
    bool exists;
    uint64_t bytes[3]; /* by enum output_stream */
    size_t tail_len;
    char tail[DETAIL_TAIL_BYTES];
};

struct detail {
    struct method_frame head;
    struct detail_params p;
    struct selection selection;   /* owned */
    struct store_call *read;      /* counted */
    struct detail_output *output; /* shared with the executor */
    struct aio_future *job;       /* counted */
};

static struct aio_next detail_selected(struct aio_co *);
static struct aio_next detail_row(struct aio_co *);
static struct aio_next detail_told(struct aio_co *);

static struct detail *detail_of(struct aio_co *co)
{
    return container_of(co, struct detail, head.co);
}

static void detail_drop_output(struct detail *d)
{
    struct detail_output *o = TAKE_PTR(d->output);
    d->job = aio_future_unref(d->job);
    if (o && o->finished)
        free(o);
    else if (o)
        o->abandoned = true;
}

static void detail_done(struct aio_co *co)
{
    struct detail *d = detail_of(co);
    selection_done(&d->selection);
    store_call_unref(d->read);
    detail_drop_output(d);
}

/* ---- in the executor ---- */

static void detail_read_tail(struct detail_output *o, int fd)
{
    uint64_t from = output_tail_offset(fd, DETAIL_TAIL_LINES, sizeof(o->tail));
    uint64_t size = o->bytes[OUTPUT_BOTH] + o->bytes[OUTPUT_OUT];
    if (size - from > sizeof(o->tail))
        from = size - sizeof(o->tail);
    ssize_t n = pread(fd, o->tail, sizeof(o->tail), (off_t)from);
    o->tail_len = n > 0 ? (size_t)n : 0;
}

static int detail_output_run(void *arg)
{
    struct detail_output *o = arg;
    for (int stream = OUTPUT_BOTH; stream <= OUTPUT_ERR; stream++) {
        struct stat st;
        _cleanup_(defs_closep) int fd = output_open(o->output_fd, o->id, o->attempt, stream);
        if (fd < 0 || fstat(fd, &st) < 0)
            continue;
        o->exists = true;
        o->split |= stream != OUTPUT_BOTH;
        o->bytes[stream] = (uint64_t)st.st_size;
        if (stream != OUTPUT_ERR)
            detail_read_tail(o, fd);
    }
    return 0;
}

static void detail_output_after(void *arg)
{
    struct detail_output *o = arg;
    o->finished = true;
    if (o->abandoned)
        free(o);
}

/* ---- steps ---- */

static struct aio_next detail_begin(struct aio_co *co)
{
    struct detail *d = detail_of(co);
    struct call *call = d->head.call;
    if (call_params(call, detail_fields, ARRAY_SIZE(detail_fields), &d->p) < 0)
        return call_raise(call, co);
    return aio_delegate(co, select_id(call, d->p.id, &d->selection), STEP(detail_selected));
}

static struct aio_next detail_selected(struct aio_co *co)
{
    struct detail *d = detail_of(co);
    struct tasks *tasks = d->head.call->control->tasks;
    store_call_unref(d->read);
    d->read = store_call_new(tasks->sched, STORE_GET);
    if (!d->read)
        return aio_raise(co, -ENOMEM, NULL);
    d->read->op.id = d->selection.ids[0].id;
    return aio_await_try(co, store_call_start(d->read, tasks->store), STEP(detail_row));
}

static struct aio_next detail_row(struct aio_co *co)
{
    struct detail *d = detail_of(co);
    struct call *call = d->head.call;
    struct tasks *tasks = call->control->tasks;
    unsigned long long id = d->selection.ids[0].id;
    int err = aio_outcome(co, NULL);
    if (err == -ENOENT || (err == 0 && !call_may_see(call, d->read->op.rows[0].uid)))
        return call_fail(call, co, -ENOENT, "there is no task %llu", id);
    if (err < 0)
        return aio_raise(co, err, NULL);
    const struct store_task *row = &d->read->op.rows[0];
    if (co->fn == &method_result && row->outcome == STORE_LIVE)
        return call_fail(call, co, -EINPROGRESS, "task %llu is not done", id);
    if (!row->attempt)
        return detail_told(co);
    detail_drop_output(d);
    d->output = calloc(1, sizeof(*d->output));
    if (!d->output)
        return aio_raise(co, -ENOMEM, NULL);
    d->output->output_fd = tasks->output_fd;
    d->output->id = id;
    d->output->attempt = row->attempt;
    d->job =
        aio_run_in_executor(tasks->loop, detail_output_run, detail_output_after, d->output);
    if (!d->job)
        d->output->finished = true;
    return aio_await(co, d->job, STEP(detail_told));
}

static void detail_more(struct buf *b, struct pack_map_place *map, void *ctx)
{
    const struct detail_output *o = ctx;
    if (!o || !o->exists)
        return;
    pack_key(b, map, "output");
    pack_map(b, o->split ? 3 : 2);
    pack_text(b, "split");
    pack_bool(b, o->split);
    pack_text(b, "out");
    pack_uint(b, o->split ? o->bytes[OUTPUT_OUT] : o->bytes[OUTPUT_BOTH]);
    if (o->split) {
        pack_text(b, "err");
        pack_uint(b, o->bytes[OUTPUT_ERR]);
    }
    pack_key(b, map, "tail");
    pack_text_n(b, o->tail, o->tail_len);
}

static struct aio_next detail_told(struct aio_co *co)
{
    struct detail *d = detail_of(co);
    const struct store_task *row = &d->read->op.rows[0];
    struct task *live =
        row->outcome == STORE_LIVE ? tasks_find(d->head.call->control->tasks, row->id) : NULL;
    if (row->outcome == STORE_LIVE && !live)
        return detail_selected(co); /* it has ended meanwhile: read it again */
    struct buf b = BUF_INIT;
    view_detail(&b, row, live, d->p.env, detail_more, d->output);
    return call_return(co, &b);
}

const struct aio_co_fn method_task = {"task", sizeof(struct detail), STEP_INIT(detail_begin),
                                      detail_done};
const struct aio_co_fn method_result = {"result", sizeof(struct detail),
                                        STEP_INIT(detail_begin), detail_done};
