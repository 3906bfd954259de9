/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * future - a result that is not there yet: asyncio.Future.
 *
 * PENDING, then once and for ever FINISHED (with a value, or with an error) or CANCELLED.
 * Done callbacks never run inline: each is call_soon'ed in the order of registration.
 *
 * A future is counted when others may see it (aio_future_new), or embedded in a frame
 * (aio_future_init … aio_future_done) that is the only one to know it. A task is a future.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/value.h"
#include "daemon/aio/sched.h"

enum aio_future_state { AIO_PENDING, AIO_FINISHED, AIO_CANCELLED };

struct aio_future;

/* A done callback: Future.add_done_callback. Embedded in its owner. */
struct aio_done;
typedef void aio_done_fn(struct aio_done *, struct aio_future *);
struct aio_done {
    struct aio_handle handle;  /* private: in future->callbacks, then in the ready queue */
    struct aio_future *future; /* counted while registered or scheduled, else NULL */
    aio_done_fn *fn;
};

/* What differs between a plain future, a task, a gather, …; NULL members mean the default. */
struct aio_future_ops {
    /* Future.cancel of a pending one */
    bool (*cancel)(struct aio_future *, struct value *reason_borrowed);
    /* The last reference has gone; the value has been dropped. The default is free(3). */
    void (*free)(struct aio_future *);
    bool sealed; /* set_result and set_error are refused: only its implementer completes it */
};

struct aio_future {
    struct aio_sched *sched;          /* borrowed */
    const struct aio_future_ops *ops; /* static, never NULL */
    struct list callbacks;            /* of aio_done.handle.node, in order of registration */
    struct value *value; /* owned: the result, or the error's details; may be NULL */
    uint32_t refs;       /* 0: embedded, not counted */
    int err;             /* 0, or the negative errno of a future that failed */
    enum aio_future_state state : 8;
    bool retrieved; /* somebody looked at the error */
};

/* A counted future with one reference, the caller's; NULL without memory. */
struct aio_future *aio_future_new(struct aio_sched *);
struct aio_future *aio_future_ref(struct aio_future *);   /* may be NULL; returns it */
struct aio_future *aio_future_unref(struct aio_future *); /* may be NULL; returns NULL */
DEFINE_CLEANUP(struct aio_future, aio_future_unref)

/* An embedded one. ops NULL: a plain future. aio_future_done requires that nobody awaits
 * it; it drops the value and may run twice, or on zeroed memory. A scheduler outlives all of
 * its futures. */
void aio_future_init(struct aio_future *, struct aio_sched *, const struct aio_future_ops *ops);
void aio_future_done(struct aio_future *);

/* Future.set_result and set_exception. 0, or -EALREADY when it is done already
 * (InvalidStateError), or -EPERM for a sealed one, as a task is (RuntimeError); the value is
 * released all the same. err is a negative errno other than -ECANCELED; any other number counts
 * as -EINVAL. */
int aio_future_set_result(struct aio_future *, struct value *taken);
int aio_future_set_error(struct aio_future *, int err, struct value *details_taken);
/* Future.cancel: false when it was done already (an error counts as retrieved then). For a
 * task: asks it to cancel. */
bool aio_future_cancel(struct aio_future *, struct value *reason_borrowed);

static inline bool aio_future_is_done(const struct aio_future *f)
{
    return f->state != AIO_PENDING;
}
/* Future.result()/exception(): -EINPROGRESS while pending (InvalidStateError), -ECANCELED,
 * the error, or 0. *peek (may be NULL) is the value, the details or the reason of the
 * cancellation; borrowed, NULL where there is none. Marks an error as retrieved. */
int aio_future_result(struct aio_future *, struct value **peek);

/* Calls done->fn through the ready queue once f is done; at once queued when it is already.
 * done must be idle and stay in place until fn runs or it was removed; fn may free it. */
void aio_future_add_done(struct aio_future *, struct aio_done *done, aio_done_fn *fn);
/* Future.remove_done_callback; also takes back one that is scheduled and has not run. No-op
 * when idle or zeroed. */
void aio_future_remove_done(struct aio_done *done);

/* For those who implement a kind of future: completes it, whatever its ops say. */
void aio_future_complete(struct aio_future *, enum aio_future_state, int err,
                         struct value *taken);
