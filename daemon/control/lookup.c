/* SPDX-License-Identifier: MIT */
#include "daemon/control/lookup.h"

#include <errno.h>

#include "daemon/control/control.h"

struct lookup {
    struct aio_co co;
    struct call *call;       /* borrowed */
    struct store_call **ret; /* borrowed: the caller's */
    uint64_t id;
    bool optional;
};

struct store_call *lookup_start(struct call *call, uint64_t id)
{
    struct tasks *tasks = call->control->tasks;
    struct store_call *read = store_call_new(tasks->sched, STORE_GET);
    if (!read)
        return NULL;
    read->op.id = id;
    store_call_start(read, tasks->store);
    return read;
}

const struct store_task *lookup_answer(const struct call *call, const struct store_call *read)
{
    const struct store_task *row = read->op.err == 0 ? &read->op.rows[0] : NULL;
    return row && call_may_see(call, row->uid) ? row : NULL;
}

static struct aio_next lookup_found(struct aio_co *co)
{
    struct lookup *l = container_of(co, struct lookup, co);
    int err = aio_outcome(co, NULL);
    if (err < 0 && err != -ENOENT)
        return aio_raise(co, err, NULL);
    if (lookup_answer(l->call, *l->ret))
        return aio_return(co, NULL);
    *l->ret = store_call_unref(*l->ret);
    if (l->optional)
        return aio_return(co, NULL);
    return call_fail(l->call, co, -ENOENT, "there is no task %llu", (unsigned long long)l->id);
}

static struct aio_next lookup_begin(struct aio_co *co)
{
    struct lookup *l = container_of(co, struct lookup, co);
    store_call_unref(*l->ret);
    *l->ret = lookup_start(l->call, l->id);
    if (!*l->ret)
        return aio_raise(co, -ENOMEM, NULL);
    return aio_await_try(co, &(*l->ret)->future, STEP(lookup_found));
}

static const struct aio_co_fn lookup_fn = {"lookup", sizeof(struct lookup),
                                           STEP_INIT(lookup_begin), NULL};

struct aio_co *lookup_row(struct call *call, uint64_t id, bool optional,
                          struct store_call **ret)
{
    struct aio_co *co = aio_co_new(&lookup_fn);
    if (!co)
        return NULL;
    struct lookup *l = container_of(co, struct lookup, co);
    l->call = call;
    l->ret = ret;
    l->id = id;
    l->optional = optional;
    return co;
}
