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
#include "daemon/control/lookup.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"
#include "daemon/tasks/job.h"
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

/* What the executor finds out. */
struct detail_output {
    struct job job;
    int output_fd; /* borrowed: outlives the executor */
    uint64_t id;
    uint32_t attempt;
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
    struct detail_output *output; /* counted, as a job */
    struct aio_future *told;      /* counted: the end of the job */
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
    d->told = aio_future_unref(d->told);
    if (o)
        job_unref(&o->job);
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

static int detail_output_run(struct job *job)
{
    struct detail_output *o = container_of(job, struct detail_output, job);
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

static void detail_output_free(struct job *job)
{
    free(container_of(job, struct detail_output, job));
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
    return aio_delegate(co, lookup_row(d->head.call, d->selection.ids[0].id, false, &d->read),
                        STEP(detail_row));
}

static struct aio_next detail_row(struct aio_co *co)
{
    struct detail *d = detail_of(co);
    struct call *call = d->head.call;
    struct tasks *tasks = call->control->tasks;
    unsigned long long id = d->selection.ids[0].id;
    const struct store_task *row = &d->read->op.rows[0];
    if (co->fn == &method_result && row->outcome == STORE_LIVE)
        return call_fail(call, co, -EINPROGRESS, "task %llu is not done", id);
    if (!row->attempt)
        return detail_told(co);
    detail_drop_output(d);
    d->output = calloc(1, sizeof(*d->output));
    if (!d->output)
        return aio_raise(co, -ENOMEM, NULL);
    job_init(&d->output->job, detail_output_free);
    d->output->output_fd = tasks->output_fd;
    d->output->id = id;
    d->output->attempt = row->attempt;
    d->told = job_run(&d->output->job, tasks->loop, detail_output_run);
    return aio_await(co, d->told, STEP(detail_told));
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
