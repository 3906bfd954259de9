/* SPDX-License-Identifier: MIT */
#include "daemon/control/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/connection.h"
#include "daemon/control/control.h"
#include "proto/rpc.h"

static void call_free(struct call *call)
{
    list_remove(&call->node);
    aio_task_unref(call->task);
    peer_unref(call->peer);
    unpacked_done(&call->message);
    free(call);
}

static void call_answer_error(struct call *call, int code)
{
    if (code == -ECANCELED)
        err_set(&call->err, -ESHUTDOWN, "the daemon is stopping");
    else if (!call->err.code)
        err_set(&call->err, code, "%s", strerror(-code));
    rpc_write_error(&call->connection->out, call->msgid, &call->err, NULL,
                    call->connection->errors_map);
}

/* The task is done: its result is the response. */
static void call_ended(struct aio_done *done, struct aio_future *f)
{
    struct call *call = container_of(done, struct call, ended);
    struct connection *c = call->connection;
    struct value *value;
    int err = aio_future_result(f, &value);
    if (c && err < 0) {
        call_answer_error(call, err);
    } else if (c) {
        rpc_write_result(&c->out, call->msgid);
        pack_value(&c->out, value);
    }
    if (c)
        connection_call_ended(c, call);
    call_free(call);
}

static struct call *call_new(struct connection *c, const uint8_t *bytes, size_t size)
{
    struct call *call = malloc(sizeof(*call) + size);
    if (!call)
        return NULL;
    *call = (struct call){.size = size};
    memcpy(call->bytes, bytes, size);
    call->control = c->control;
    call->connection = c;
    call->peer = peer_ref(c->peer);
    list_init(&call->node);
    return call;
}

static const msgpack_object call_no_params = {.type = MSGPACK_OBJECT_MAP};

/* What is wrong with a request before its method runs; 0: nothing. */
static int call_check(struct call *call, const struct rpc_message *m,
                      const struct method **method)
{
    const struct control *control = call->control;
    uint32_t uid = call->peer->uid;
    char quoted[BYTES_QUOTE_MAX];
    *method = methods_find(m->method);
    if (control->stopping)
        return err_set(&call->err, -ESHUTDOWN, "the daemon is stopping");
    if (!control->system && uid != control->owner_uid && uid != 0)
        return err_set(&call->err, -EACCES,
                       "this instance serves uid %u alone, and you are uid %u",
                       control->owner_uid, uid);
    if (!*method)
        return err_set(&call->err, -ENOSYS, "there is no method %s",
                       bytes_quote(quoted, m->method));
    if (m->params_wrong)
        return err_set(&call->err, -EINVAL, "params must be an array of one map");
    return 0;
}

/* A reply that needs no task. */
static void call_refuse(struct call *call)
{
    struct connection *c = call->connection;
    rpc_write_error(&c->out, call->msgid, &call->err, NULL, c->errors_map);
    connection_flush_soon(c);
    call_free(call);
}

static int call_run(struct call *call, const struct method *method)
{
    struct aio_co *co = aio_co_new(method->fn);
    if (!co)
        return -ENOMEM;
    container_of(co, struct method_frame, co)->call = call;
    call->kind = methods_kind(method);
    call->task = aio_task_new(call->control->tasks->sched, co);
    if (!call->task)
        return -ENOMEM;
    aio_future_add_done(&call->task->future, &call->ended, call_ended);
    connection_call_started(call->connection, call);
    return 0;
}

int call_start(struct connection *c, const uint8_t *bytes, size_t size)
{
    struct call *call = call_new(c, bytes, size);
    if (!call)
        return -ENOMEM;
    struct rpc_message m;
    int r = unpack(&call->message, call->bytes, size);
    if (r == 0)
        r = rpc_read(&call->message, &m, &call->err);
    if (r < 0) {
        if (!call->err.code)
            err_set(&call->err, r, "%s", strerror(-r));
        connection_fail(c, &call->err);
        call_free(call);
        return 0;
    }
    if (m.type != RPC_REQUEST) {
        call_free(call); /* notifications of clients (pynvim sends one) mean nothing here */
        return 0;
    }
    call->msgid = m.msgid;
    call->params = m.params ? m.params : &call_no_params;
    const struct method *method;
    if (call_check(call, &m, &method) < 0) {
        call_refuse(call);
    } else if (call_run(call, method) < 0) {
        err_set(&call->err, -ENOMEM, "out of memory");
        call_refuse(call);
    }
    return 0;
}

void call_abandon(struct call *call)
{
    call->connection = NULL;
    list_remove(&call->node);
    aio_task_cancel(call->task, NULL);
}

struct aio_next call_raise(struct call *call, struct aio_co *co)
{
    return aio_raise(co, call->err.code, NULL);
}

struct aio_next call_fail(struct call *call, struct aio_co *co, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(call->err.msg, sizeof(call->err.msg), fmt, ap);
    va_end(ap);
    call->err.code = code;
    return call_raise(call, co);
}

struct aio_next call_return(struct aio_co *co, struct buf *b)
{
    struct value *value = pack_take(b);
    buf_done(b);
    return value ? aio_return(co, value) : aio_raise(co, -ENOMEM, NULL);
}

int call_params(struct call *call, const struct field *fields, size_t n, void *ret)
{
    return fields_read(fields, n, call->params, ret, &call->err);
}

bool call_may_see(const struct call *call, uint32_t uid)
{
    return peer_may_see(call->peer, uid, call->control->owner_uid);
}

struct task *call_task(const struct call *call, uint64_t id)
{
    struct task *t = tasks_find(call->control->tasks, id);
    return t && call_may_see(call, t->uid) ? t : NULL;
}
