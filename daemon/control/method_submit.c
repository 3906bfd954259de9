/* SPDX-License-Identifier: MIT */
/*
 * submit - makes a task: create_task, and remembered.
 *
 * begin checks everything and makes the task; it awaits the commit; accepted answers with the
 * id. If the client leaves in between, the task stays. A full disk, a limit, a wrong parameter:
 * nothing was made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "daemon/control/call.h"
#include "daemon/control/control.h"
#include "daemon/control/methods.h"
#include "daemon/control/names.h"

struct submit_params {
    struct bytes function;
    const msgpack_object *args;
    struct bytes name;
    struct bytes group;
    double in;
    struct bytes at;
};

static const struct field submit_fields[] = {
    {"function", FIELD_TEXT, false, offsetof(struct submit_params, function), LIMIT_NAME_BYTES},
    {"args", FIELD_OBJECT, false, offsetof(struct submit_params, args), 0},
    {"name", FIELD_TEXT, false, offsetof(struct submit_params, name), LIMIT_NAME_BYTES},
    {"group", FIELD_TEXT, false, offsetof(struct submit_params, group), LIMIT_NAME_BYTES},
    {"in", FIELD_NUMBER, false, offsetof(struct submit_params, in),
     PARSE_DURATION_MAX_NS / NSEC_PER_SEC},
    {"at", FIELD_TEXT, false, offsetof(struct submit_params, at), 64},
};

struct submit_frame {
    struct method_frame head;
    struct aio_future *accepted; /* counted */
    uint64_t id;
};

static struct submit_frame *submit_of(struct aio_co *co)
{
    return container_of(co, struct submit_frame, head.co);
}

static void submit_done(struct aio_co *co)
{
    aio_future_unref(submit_of(co)->accepted);
}

static int submit_time(const struct submit_params *p, struct submit *s, struct err *err)
{
    if (p->at.data && p->in != 0)
        return err_set(err, -EINVAL, "\"in\" and \"at\" exclude each other");
    if (p->in < 0)
        return err_set(err, -EINVAL, "\"in\" must not be negative");
    if (p->in > 0) {
        uint64_t ns = clock_from_seconds(p->in);
        s->due_clock = AIO_BOOT;
        s->due_ns = clock_boot() + ns;
        s->due_wall_ns = clock_wall() + ns;
    }
    if (p->at.data) {
        _cleanup_(defs_freep) char *at = bytes_dup(p->at);
        if (!at)
            return err_set(err, -ENOMEM, "out of memory");
        s->due_clock = AIO_WALL;
        if (parse_time(at, (time_t)(clock_wall() / NSEC_PER_SEC), &s->due_ns) < 0)
            return err_set(err, -EINVAL, "\"at\" must be a time like 2026-01-31T14:30:00Z");
        s->due_wall_ns = s->due_ns;
    }
    return 0;
}

static int submit_make(struct call *call, const struct submit_params *p, struct submit *s,
                       struct function_call *bound, struct task **ret)
{
    struct err *err = &call->err;
    struct tasks *tasks = call->control->tasks;
    _cleanup_(defs_freep) char *name = p->name.data ? bytes_dup(p->name) : NULL;
    _cleanup_(defs_freep) char *group = p->group.data ? bytes_dup(p->group) : NULL;
    if ((p->name.data && !name) || (p->group.data && !group))
        return err_set(err, -ENOMEM, "out of memory");
    int r = name ? name_check("name", name, err) : 0;
    if (r == 0)
        r = submit_time(p, s, err);
    if (r == 0)
        r = function_bind(s->function, p->args, bound, err);
    s->name = name;
    s->group = group;
    s->call = bound;
    return r < 0 ? r : tasks_submit(tasks, s, ret, err);
}

static struct aio_next submit_accepted(struct aio_co *);

static struct aio_next submit_begin(struct aio_co *co)
{
    struct submit_frame *f = submit_of(co);
    struct call *call = f->head.call;
    struct control *control = call->control;
    struct submit_params p = {.function = {"exec", 4}};
    if (call_params(call, submit_fields, ARRAY_SIZE(submit_fields), &p) < 0)
        return call_raise(call, co);
    struct submit s = {
        .uid = call->peer->uid,
        .gid = call->peer->gid,
        .client_pid = call->peer->pid,
        .creds = call->peer->groups,
        .function = functions_find(&control->tasks->functions, p.function),
    };
    char quoted[BYTES_QUOTE_MAX];
    if (!s.function)
        return call_fail(call, co, -ENOENT, "there is no function %s: see aioctl functions",
                         bytes_quote(quoted, p.function));
    if (s.function->slot && control->may_run(control->ctx, s.uid, &call->err) < 0)
        return call_raise(call, co);
    struct function_call bound = {0};
    struct task *t = NULL;
    int r = submit_make(call, &p, &s, &bound, &t);
    function_call_done(&bound);
    if (r < 0) {
        call->err.code = call->err.code ? call->err.code : r;
        return call_raise(call, co);
    }
    f->id = t->id;
    f->accepted = aio_future_ref(t->accepted);
    return aio_await_try(co, f->accepted, STEP(submit_accepted));
}

static struct aio_next submit_accepted(struct aio_co *co)
{
    struct submit_frame *f = submit_of(co);
    int err =
        aio_future_result(f->accepted, NULL); /* also when the daemon stops: it is recorded */
    if (err == -ENOSPC)
        return call_fail(f->head.call, co, err,
                         "the disk of the state directory is full: nothing new is accepted");
    if (err == -EIO)
        return call_fail(f->head.call, co, err,
                         "the disk failed: task %llu may or may not have been recorded",
                         (unsigned long long)f->id);
    if (err < 0)
        return aio_raise(co, err, NULL);
    struct buf b = BUF_INIT;
    pack_map(&b, 1);
    pack_text(&b, "id");
    pack_uint(&b, f->id);
    return call_return(co, &b);
}

const struct aio_co_fn method_submit = {"submit", sizeof(struct submit_frame),
                                        STEP_INIT(submit_begin), submit_done};
