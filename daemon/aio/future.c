/* SPDX-License-Identifier: MIT */
/*
 * A done callback is in future->callbacks while the future is pending and in the ready queue
 * from then on; it holds a reference to a counted future all that time. A future whose last
 * reference goes while another one is being freed waits in sched->dying: chains of
 * futures are freed in a loop.
 */
#include "daemon/aio/future.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/aio/internal.h"

static const struct aio_future_ops future_plain_ops = {.cancel = NULL};

void aio_future_init(struct aio_future *f, struct aio_sched *sched,
                     const struct aio_future_ops *ops)
{
    *f = (struct aio_future){.sched = sched, .ops = ops ? ops : &future_plain_ops};
    list_init(&f->callbacks);
}

void aio_future_done(struct aio_future *f)
{
    f->value = value_unref(f->value);
}

struct aio_future *aio_future_new(struct aio_sched *sched)
{
    struct aio_future *f = malloc(sizeof(*f));
    if (!f)
        return NULL;
    aio_future_init(f, sched, NULL);
    f->refs = 1;
    return f;
}

struct aio_future *aio_future_ref(struct aio_future *f)
{
    if (f && f->refs)
        f->refs++;
    return f;
}

static void future_free(struct aio_future *f)
{
    value_unref(f->value);
    if (f->ops->free)
        f->ops->free(f);
    else
        free(f);
}

struct aio_future *aio_future_unref(struct aio_future *f)
{
    struct list *node;

    if (!f || !f->refs || --f->refs)
        return NULL;
    struct aio_sched *sched = f->sched;
    /* Nobody is registered: a callback would hold a reference. */
    list_push_back(&sched->dying, &f->callbacks);
    if (sched->freeing)
        return NULL;
    sched->freeing = true;
    while ((node = list_pop_front(&sched->dying)))
        future_free(container_of(node, struct aio_future, callbacks));
    sched->freeing = false;
    return NULL;
}

/* Runs in a turn. fn may free done, and the frame with an embedded future: neither is
 * touched afterwards. */
static void future_run_done(struct aio_handle *handle)
{
    struct aio_done *done = container_of(handle, struct aio_done, handle);
    struct aio_future *f = TAKE_PTR(done->future);
    bool counted = f->refs != 0;

    done->fn(done, f);
    if (counted)
        aio_future_unref(f);
}

static void future_schedule(struct aio_future *f, struct aio_done *done)
{
    aio_call_soon(f->sched, &done->handle);
    if (done->fn == aio_task_wakeup)
        aio_task_woken(done);
}

void aio_future_add_done(struct aio_future *f, struct aio_done *done, aio_done_fn *fn)
{
    aio_handle_init(&done->handle, future_run_done);
    done->fn = fn;
    done->future = aio_future_ref(f);
    if (aio_future_is_done(f))
        future_schedule(f, done);
    else
        list_push_back(&f->callbacks, &done->handle.node);
}

void aio_future_remove_done(struct aio_done *done)
{
    struct aio_future *f = TAKE_PTR(done->future);

    if (!f)
        return;
    if (aio_future_is_done(f))
        aio_handle_cancel(f->sched, &done->handle);
    else
        list_remove(&done->handle.node);
    aio_future_unref(f);
}

void aio_future_complete(struct aio_future *f, enum aio_future_state state, int err,
                         struct value *taken)
{
    struct list *node;

    if (aio_future_is_done(f)) {
        value_unref(taken);
        return;
    }
    f->state = state;
    f->err = err;
    f->value = taken;
    while ((node = list_pop_front(&f->callbacks)))
        future_schedule(f, container_of(node, struct aio_done, handle.node));
}

/* 0, or why the future can't be completed from outside. */
static int future_check_settable(const struct aio_future *f)
{
    if (f->ops->sealed)
        return -EPERM;
    return aio_future_is_done(f) ? -EALREADY : 0;
}

int aio_future_set_result(struct aio_future *f, struct value *taken)
{
    int r = future_check_settable(f);

    if (r < 0)
        value_unref(taken);
    else
        aio_future_complete(f, AIO_FINISHED, 0, taken);
    return r;
}

int aio_future_set_error(struct aio_future *f, int err, struct value *details_taken)
{
    int r = future_check_settable(f);

    if (r < 0)
        value_unref(details_taken);
    else
        aio_future_complete(f, AIO_FINISHED, err >= 0 || err == -ECANCELED ? -EINVAL : err,
                            details_taken);
    return r;
}

bool aio_future_cancel(struct aio_future *f, struct value *reason_borrowed)
{
    if (aio_future_is_done(f)) {
        f->retrieved = true;
        return false;
    }
    if (f->ops->cancel)
        return f->ops->cancel(f, reason_borrowed);
    aio_future_complete(f, AIO_CANCELLED, 0, value_ref(reason_borrowed));
    return true;
}

int aio_future_result(struct aio_future *f, struct value **peek)
{
    if (!aio_future_is_done(f))
        return -EINPROGRESS;
    f->retrieved = true;
    if (peek)
        *peek = f->value;
    return f->state == AIO_CANCELLED ? -ECANCELED : f->err;
}
