/* SPDX-License-Identifier: MIT */
/*
 * logs - the output of a task, from its beginning, an offset, or its last lines; followed if
 * asked for.
 *
 * begin → selected awaits the row → row awaits the opening of the file (opened) → read awaits a
 * chunk → chunk sends it, awaits that the client has taken it (drained) → read … At the end of
 * the file, with follow: awaits the next change of the file or the end of the task, whichever
 * comes first (changed) → read.
 *
 * All changes of all files come through libuv's one inotify descriptor. The end of the task is
 * noted before the last read, so nothing that was written before it is missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/control/connection.h"
#include "daemon/control/control.h"
#include "daemon/control/lookup.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"
#include "daemon/tasks/job.h"
#include "daemon/tasks/output.h"
#include "proto/rpc.h"

#define LOGS_OFFSET_MAX (UINT64_C(1) << 62)  /* pread(2) takes an off_t, with room behind it */
enum { LOGS_TAIL_BYTES = 16 * 1024 * 1024 }; /* how far back the last lines are looked for */
enum { LOGS_BACKLOG_BYTES = 4 * (int)LIMIT_LOG_CHUNK_BYTES };

struct logs_params {
    const msgpack_object *id;
    struct bytes stream;
    int64_t tail; /* -1: not given */
    uint64_t offset;
    uint64_t attempt;
    bool follow;
};

static const struct field logs_fields[] = {
    {"id", FIELD_OBJECT, true, offsetof(struct logs_params, id), 0},
    {"stream", FIELD_TEXT, false, offsetof(struct logs_params, stream), 8},
    {"tail", FIELD_INT, false, offsetof(struct logs_params, tail), INT64_MAX},
    {"offset", FIELD_UINT, false, offsetof(struct logs_params, offset), LOGS_OFFSET_MAX},
    {"attempt", FIELD_UINT, false, offsetof(struct logs_params, attempt), UINT32_MAX},
    {"follow", FIELD_BOOL, false, offsetof(struct logs_params, follow), 0},
};

/* The file, shared with the executor. */
struct logs_file {
    struct job job;
    int output_fd; /* borrowed: outlives the executor */
    int fd;        /* owned; -1: there is no such file */
    uint64_t id;
    uint32_t attempt;
    enum output_stream stream;
    bool split;
    int64_t tail;    /* lines; -1: from offset */
    uint64_t offset; /* of the next byte to send */
    ssize_t n;       /* bytes in chunk */
    bool begun;      /* something was read: the offset is ours, not the one asked for */
    uint8_t chunk[LIMIT_LOG_CHUNK_BYTES];
};

/* Watches the file; libuv frees it a turn after the frame has gone. */
struct logs_watch {
    uv_fs_event_t event;
    struct logs *logs; /* borrowed */
};

struct logs {
    struct method_frame head;
    struct logs_params p;
    struct selection selection; /* owned */
    struct store_call *read;    /* counted */
    struct logs_file *file;     /* counted, as a job */
    struct aio_future *job;     /* counted: the end of a run of it */
    struct logs_watch *watch;   /* owned; NULL until the end of the file was seen */
    struct aio_done ended;      /* the task's end */
    struct aio_done moved;      /* its next change of state, while there is no file */
    struct aio_future wake;     /* a change or the end; prepared before each await */
    uint64_t id;
    bool done;    /* the task has ended */
    bool changed; /* since the last read began */
};

static struct aio_next logs_selected(struct aio_co *);
static struct aio_next logs_row(struct aio_co *);
static struct aio_next logs_opened(struct aio_co *);
static struct aio_next logs_read(struct aio_co *);
static struct aio_next logs_chunk(struct aio_co *);

static struct logs *logs_of(struct aio_co *co)
{
    return container_of(co, struct logs, head.co);
}

static void logs_file_free(struct job *job)
{
    struct logs_file *file = container_of(job, struct logs_file, job);
    defs_closep(&file->fd);
    free(file);
}

static void logs_drop_file(struct logs *l)
{
    if (l->file)
        job_unref(&l->file->job);
    l->file = NULL;
}

static void logs_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void logs_done(struct aio_co *co)
{
    struct logs *l = logs_of(co);
    selection_done(&l->selection);
    store_call_unref(l->read);
    aio_future_unref(l->job);
    logs_drop_file(l);
    if (l->watch)
        uv_close((uv_handle_t *)&l->watch->event, logs_watch_closed);
    aio_future_remove_done(&l->ended);
    aio_future_remove_done(&l->moved);
    aio_future_done(&l->wake);
}

/* ---- in the executor ---- */

/* The standard output of a task that keeps both streams in one file is that file. */
static int logs_file_open(struct job *job)
{
    struct logs_file *f = container_of(job, struct logs_file, job);
    f->fd = -ENOENT;
    if (f->stream == OUTPUT_OUT)
        f->fd = output_open(f->output_fd, f->id, f->attempt, OUTPUT_BOTH);
    f->split = f->fd == -ENOENT; /* any other error is about the file that is there */
    if (f->split)
        f->fd = output_open(f->output_fd, f->id, f->attempt, f->stream);
    if (f->fd < 0)
        return f->fd == -ENOENT ? 0 : f->fd;
    if (f->tail >= 0)
        f->offset = output_tail_offset(f->fd, (uint64_t)f->tail, LOGS_TAIL_BYTES);
    return 0;
}

static int logs_file_read(struct job *job)
{
    struct logs_file *f = container_of(job, struct logs_file, job);
    struct stat st;
    if (f->begun && fstat(f->fd, &st) == 0 && (uint64_t)st.st_size < f->offset)
        f->offset = 0; /* the command has truncated it: from the beginning, as tail -f */
    f->n = pread(f->fd, f->chunk, sizeof(f->chunk), (off_t)f->offset);
    return f->n < 0 ? -errno : 0;
}

static struct aio_future *logs_job(struct logs *l, job_fn *fn)
{
    aio_future_unref(l->job);
    l->job = job_run(&l->file->job, l->head.call->control->loop, fn);
    return l->job;
}

/* ---- waiting for more ---- */

static void logs_wake(struct logs *l)
{
    l->changed = true;
    if (l->wake.sched && !aio_future_is_done(&l->wake))
        aio_future_set_result(&l->wake, NULL);
}

static void logs_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status;
    logs_wake(container_of(event, struct logs_watch, event)->logs);
}

static void logs_ended(struct aio_done *done, struct aio_future *f)
{
    (void)f;
    struct logs *l = container_of(done, struct logs, ended);
    l->done = true;
    logs_wake(l);
}

static void logs_moved(struct aio_done *done, struct aio_future *f)
{
    (void)f;
    logs_wake(container_of(done, struct logs, moved));
}

/* inotify needs a path: /proc's name for the descriptor that is open already. */
static int logs_start_watch(struct logs *l)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", l->file->fd);
    struct logs_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->logs = l;
    watch->event.data = watch;
    uv_fs_event_init(&l->head.call->control->loop->uv, &watch->event);
    l->watch = watch;
    return uv_fs_event_start(&watch->event, logs_event, path, 0);
}

/* ---- steps ---- */

static struct aio_next logs_begin(struct aio_co *co)
{
    struct logs *l = logs_of(co);
    struct call *call = l->head.call;
    l->p.tail = -1;
    if (call_params(call, logs_fields, ARRAY_SIZE(logs_fields), &l->p) < 0)
        return call_raise(call, co);
    if (l->p.tail < 0 && map_get(call->params, "tail"))
        return call_fail(call, co, -EINVAL, "\"tail\" must not be negative");
    if (l->p.stream.data && !bytes_equal(l->p.stream, "out") &&
        !bytes_equal(l->p.stream, "err"))
        return call_fail(call, co, -EINVAL, "\"stream\" must be \"out\" or \"err\"");
    return aio_delegate(co, select_id(call, l->p.id, &l->selection), STEP(logs_selected));
}

static struct aio_next logs_selected(struct aio_co *co)
{
    struct logs *l = logs_of(co);
    l->id = l->selection.ids[0].id;
    return aio_delegate(co, lookup_row(l->head.call, l->id, false, &l->read), STEP(logs_row));
}

static int logs_new_file(struct logs *l, uint32_t attempt)
{
    struct logs_file *file = calloc(1, sizeof(*file));
    if (!file)
        return -ENOMEM;
    job_init(&file->job, logs_file_free);
    file->fd = -1;
    file->output_fd = l->head.call->control->tasks->output_fd;
    file->id = l->id;
    file->attempt = attempt;
    file->stream = bytes_equal(l->p.stream, "err") ? OUTPUT_ERR : OUTPUT_OUT;
    file->tail = l->p.tail;
    file->offset = l->p.offset;
    logs_drop_file(l);
    l->file = file;
    return 0;
}

static struct aio_next logs_row(struct aio_co *co)
{
    struct logs *l = logs_of(co);
    struct tasks *tasks = l->head.call->control->tasks;
    const struct store_task *row = &l->read->op.rows[0];
    struct task *t = tasks_find(tasks, l->id);
    l->done = !t;
    if (t && l->p.follow && !l->ended.future) {
        struct aio_future *ended = task_ended(t);
        if (!ended)
            return aio_raise(co, -ENOMEM, NULL);
        aio_future_add_done(ended, &l->ended, logs_ended);
    }
    uint32_t attempt = l->p.attempt ? (uint32_t)l->p.attempt : row->attempt ? row->attempt : 1;
    if (logs_new_file(l, attempt) < 0)
        return aio_raise(co, -ENOMEM, NULL);
    /* watched from before the file is looked for, so that nothing happens unseen in between */
    l->changed = false;
    aio_future_remove_done(&l->moved);
    if (t && l->p.follow) {
        struct aio_future *moved = task_moved(t);
        if (!moved)
            return aio_raise(co, -ENOMEM, NULL);
        aio_future_add_done(moved, &l->moved, logs_moved);
    }
    return aio_await(co, logs_job(l, logs_file_open), STEP(logs_opened));
}

static struct aio_next logs_return(struct logs *l)
{
    const struct task *t = tasks_find(l->head.call->control->tasks, l->id);
    struct buf b = BUF_INIT;
    pack_map(&b, 6);
    pack_text(&b, "id");
    pack_uint(&b, l->id);
    pack_text(&b, "attempt");
    pack_uint(&b, l->file->attempt);
    pack_text(&b, "stream");
    pack_text(&b, l->file->stream == OUTPUT_ERR ? "err" : "out");
    pack_text(&b, "offset");
    pack_uint(&b, l->file->offset);
    pack_text(&b, "split");
    pack_bool(&b, l->file->split && l->file->fd >= 0);
    pack_text(&b, "state");
    pack_text(&b, task_state_name(t ? t->state : TASK_DONE));
    return call_return(&l->head.co, &b);
}

static struct aio_next logs_suspend(struct logs *l, struct aio_step next)
{
    aio_future_done(&l->wake);
    aio_future_init(&l->wake, l->head.call->control->tasks->sched, NULL);
    if (l->changed)
        return aio_goto(&l->head.co, next);
    return aio_await(&l->head.co, &l->wake, next);
}

/* No file yet: it comes when the command starts, which the task's next change of state shows. */
static struct aio_next logs_opened(struct aio_co *co)
{
    struct logs *l = logs_of(co);
    if (l->file->fd >= 0) {
        aio_future_remove_done(&l->moved);
        return logs_read(co);
    }
    if (l->done || !l->p.follow)
        return logs_return(l);
    return logs_suspend(l, STEP(logs_selected));
}

static struct aio_next logs_read(struct aio_co *co)
{
    struct logs *l = logs_of(co);
    l->changed = false;
    return aio_await(co, logs_job(l, logs_file_read), STEP(logs_chunk));
}

static void logs_send(struct logs *l)
{
    struct call *call = l->head.call;
    struct connection *c = call->connection;
    if (!c)
        return;
    rpc_write_notification(&c->out, "logs");
    pack_map(&c->out, 5);
    pack_text(&c->out, "request");
    pack_uint(&c->out, call->msgid);
    pack_text(&c->out, "attempt");
    pack_uint(&c->out, l->file->attempt);
    pack_text(&c->out, "stream");
    pack_text(&c->out, l->file->stream == OUTPUT_ERR ? "err" : "out");
    pack_text(&c->out, "offset");
    pack_uint(&c->out, l->file->offset);
    pack_text(&c->out, "data");
    pack_bin(&c->out, l->file->chunk, (size_t)l->file->n);
    connection_flush_soon(c);
}

static struct aio_next logs_chunk(struct aio_co *co)
{
    struct logs *l = logs_of(co);
    struct connection *c = l->head.call->connection;
    if (l->file->n > 0) {
        logs_send(l);
        l->file->offset += (uint64_t)l->file->n;
        l->file->begun = true;
        if (c && connection_backlog(c) > LOGS_BACKLOG_BYTES)
            return aio_await(co, connection_drained(c), STEP(logs_read));
        return logs_read(co);
    }
    if (!l->p.follow || (l->done && !l->changed))
        return logs_return(l);
    if (!l->watch && !l->done) {
        int r = logs_start_watch(l);
        if (r < 0)
            return call_fail(l->head.call, co, r, "cannot follow the output: %s",
                             uv_strerror(r));
        return logs_read(co); /* what came between the last read and the watch */
    }
    return logs_suspend(l, STEP(logs_read));
}

const struct aio_co_fn method_logs = {"logs", sizeof(struct logs), STEP_INIT(logs_begin),
                                      logs_done};
