/* SPDX-License-Identifier: MIT */
/*
 * Frames are made and freed here; the verbs that end a step only write down in the frame what
 * is wanted. task.c does it once the step function has returned, so that no verb ever runs
 * another coroutine on top of this one.
 */
#include "daemon/aio/co.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/aio/internal.h"
#include "daemon/aio/pool.h"
#include "daemon/aio/task.h"

/* How deep the done functions of frames that own coroutines which never ran may nest on the
 * stack; what is deeper is freed in a loop. */
enum { CO_FREE_DEPTH_MAX = 64 };

/* Of the aio_co_free calls that are on this thread's stack; zero between them. */
static _Thread_local struct {
    unsigned depth;
    struct aio_co *late; /* to free, linked by caller */
} co_freeing;

struct aio_co *aio_co_new(const struct aio_co_fn *fn)
{
    struct aio_co *co = aio_pool_take(fn->frame_size);
    if (!co)
        return NULL;
    co->fn = fn;
    co->next = fn->first;
    return co;
}

static void co_destroy(struct aio_co *co)
{
    if (co->fn->done)
        co->fn->done(co);
    value_unref(co->value);
    aio_pool_give(co, co->fn->frame_size);
}

struct aio_co *aio_co_free(struct aio_co *co)
{
    if (!co)
        return NULL;
    if (co_freeing.depth == CO_FREE_DEPTH_MAX) {
        co->caller = co_freeing.late;
        co_freeing.late = co;
        return NULL;
    }
    co_freeing.depth++;
    co_destroy(co);
    while (co_freeing.depth == CO_FREE_DEPTH_MAX && (co = co_freeing.late)) {
        co_freeing.late = co->caller;
        co_destroy(co);
    }
    co_freeing.depth--;
    return NULL;
}

static struct aio_next co_verdict(enum aio_verdict verdict)
{
    return (struct aio_next){(unsigned char)verdict};
}

/* The step to run next, and an empty outcome; who runs the step owns the old one. */
static void co_set_next(struct aio_co *co, struct aio_step next, bool try_)
{
    co->next = next;
    co->try_ = try_;
    co->err = 0;
    co->value = NULL;
}

/* A future or child that could not be made: its error, as if it had been awaited. */
static struct aio_next co_resume_nomem(struct aio_co *co)
{
    co->err = -ENOMEM;
    return co_verdict(AIO_DO_RESUME);
}

static struct aio_next co_suspend(struct aio_co *co, struct aio_future *f, struct aio_step next,
                                  bool try_)
{
    co_set_next(co, next, try_);
    if (!f)
        return co_resume_nomem(co);
    co->awaited = f;
    return co_verdict(AIO_DO_AWAIT);
}

struct aio_next aio_await(struct aio_co *co, struct aio_future *borrowed, struct aio_step next)
{
    return co_suspend(co, borrowed, next, false);
}

struct aio_next aio_await_try(struct aio_co *co, struct aio_future *borrowed,
                              struct aio_step next)
{
    return co_suspend(co, borrowed, next, true);
}

static struct aio_next co_delegate(struct aio_co *co, struct aio_co *child,
                                   struct aio_step next, bool try_)
{
    co_set_next(co, next, try_);
    if (!child)
        return co_resume_nomem(co);
    child->caller = co;
    child->task = co->task;
    co->task->co = child;
    return co_verdict(AIO_DO_DELEGATE);
}

struct aio_next aio_delegate(struct aio_co *co, struct aio_co *child_taken,
                             struct aio_step next)
{
    return co_delegate(co, child_taken, next, false);
}

struct aio_next aio_delegate_try(struct aio_co *co, struct aio_co *child_taken,
                                 struct aio_step next)
{
    return co_delegate(co, child_taken, next, true);
}

struct aio_next aio_yield(struct aio_co *co, struct aio_step next)
{
    co_set_next(co, next, false);
    return co_verdict(AIO_DO_YIELD);
}

struct aio_next aio_goto(struct aio_co *co, struct aio_step next)
{
    co->next = next;
    return co_verdict(AIO_DO_GOTO);
}

struct aio_next aio_return(struct aio_co *co, struct value *taken)
{
    co->err = 0;
    co->value = taken;
    return co_verdict(AIO_DO_END);
}

struct aio_next aio_raise(struct aio_co *co, int err, struct value *details_taken)
{
    co->err = err < 0 ? err : -EINVAL;
    co->value = details_taken;
    return co_verdict(AIO_DO_END);
}

int aio_outcome(const struct aio_co *co, struct value **peek)
{
    if (peek)
        *peek = co->value;
    return co->err;
}

struct aio_sched *aio_co_sched(const struct aio_co *co)
{
    return co->task ? co->task->future.sched : NULL;
}
