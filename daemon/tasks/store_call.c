/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/store_call.h"

#include <stdlib.h>

bool store_call_keep_waiting(struct aio_future *f, struct value *reason)
{
    (void)f;
    (void)reason;
    return false;
}

static void store_call_free(struct aio_future *f)
{
    struct store_call *call = container_of(f, struct store_call, future);
    store_rows_free(&call->op);
    job_unref(call->job);
    value_unref(call->submitted.args);
    value_unref(call->submitted.env);
    value_unref(call->submitted.creds);
    free(call);
}

static const struct aio_future_ops store_call_ops = {
    .cancel = store_call_keep_waiting,
    .free = store_call_free,
};

struct store_call *store_call_new(struct aio_sched *sched, enum store_verb verb)
{
    struct store_call *call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    aio_future_init(&call->future, sched, &store_call_ops);
    call->future.refs = 1; /* counted, as a task's */
    call->op.verb = verb;
    return call;
}

static void store_call_answered(struct store_op *op)
{
    struct store_call *call = container_of(op, struct store_call, op);
    if (op->err < 0)
        aio_future_set_error(&call->future, op->err, NULL);
    else
        aio_future_set_result(&call->future, NULL);
    store_call_unref(call);
}

static void store_call_committed(struct store_op *op)
{
    struct store_call *call = container_of(op, struct store_call, op);
    call->committed(call->job, &op->rows[0]);
}

void store_call_then(struct store_call *call, struct job *taken, store_call_fn *fn)
{
    if (!taken)
        return;
    call->job = taken;
    call->committed = fn;
    call->op.committed = store_call_committed;
}

struct aio_future *store_call_start(struct store_call *call, struct store *store)
{
    aio_future_ref(&call->future);
    call->op.done = store_call_answered;
    store_queue(store, &call->op);
    return &call->future;
}

struct store_call *store_call_unref(struct store_call *call)
{
    if (call)
        aio_future_unref(&call->future);
    return NULL;
}
