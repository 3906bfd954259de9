/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * co - coroutine functions and coroutine objects.
 *
 * A coroutine is a frame and the step to run next. A step is a plain static function that
 * ends in exactly one of: await a future, delegate to another coroutine, yield, return,
 * raise. Everything that lives across an await is in the frame.
 *
 *     struct nap { struct aio_co co; struct aio_future *timer; };
 *
 *     static struct aio_next nap_end(struct aio_co *co) { return aio_return(co, NULL); }
 *     static struct aio_next nap_begin(struct aio_co *co)
 *     {
 *         struct nap *nap = container_of(co, struct nap, co);
 *         return aio_await(co, nap->timer, STEP(nap_end));
 *     }
 *     static void nap_done(struct aio_co *co) { … releases what the frame holds … }
 *     const struct aio_co_fn nap_fn = { "nap", sizeof(struct nap), STEP(nap_begin), nap_done };
 *
 * Awaiting is as in Python: a future that is done already is not waited for, the next step
 * runs at once without a turn of the loop; errors and cancellation pass up through callers
 * that used the form without _try.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/value.h"
#include "daemon/aio/future.h"

struct aio_co;
struct aio_task;

/* What a step ends in. Only the functions below make one. */
struct aio_next {
    unsigned char verdict; /* private */
};
#define AIO_NODISCARD __attribute__((warn_unused_result))

typedef struct aio_next aio_step_fn(struct aio_co *);
struct aio_step {
    aio_step_fn *run;
    const char *name; /* static; shown by traces and status */
};
#define STEP(fn)                                                                               \
    (struct aio_step)                                                                          \
    {                                                                                          \
        (fn), #fn                                                                              \
    }
/* The same for static initialisers. */
#define STEP_INIT(fn)                                                                          \
    {                                                                                          \
        (fn), #fn                                                                              \
    }

/* A coroutine function: the template. Static and constant. */
struct aio_co_fn {
    const char *name;
    size_t frame_size; /* bytes; the frame begins with its struct aio_co */
    struct aio_step first;
    void (*done)(struct aio_co *); /* releases what the frame holds; called exactly once, also
                                      when no step ever ran. May be NULL. */
};

/* A coroutine object: the head of every frame. */
struct aio_co {
    const struct aio_co_fn *fn;
    struct aio_task *task;      /* borrowed; NULL until it runs */
    struct aio_co *caller;      /* owned through the chain: who delegated to this one */
    struct aio_future *awaited; /* what the step awaits; private */
    struct aio_step next;       /* the step to run next */
    struct value *value;        /* owned: the outcome of the last await */
    int err;                    /* likewise: 0, -ECANCELED, a negative errno */
    bool try_;                  /* private: next sees errors and cancellation */
};

/* Calls a coroutine function: allocates a zeroed frame, runs nothing. The caller owns the
 * object until it gives it to aio_delegate or aio_task_new. NULL without memory. */
struct aio_co *aio_co_new(const struct aio_co_fn *);
/* coroutine.close() of one that never ran; may be NULL; returns NULL. */
struct aio_co *aio_co_free(struct aio_co *);
DEFINE_CLEANUP(struct aio_co, aio_co_free)

/* await future: the step `next` runs once it is done; aio_outcome then has the result. An
 * error or a cancellation ends this coroutine with the same, unless the _try form was
 * used: next sees it then (except, finally). The future is borrowed by the caller's promise
 * to keep it until then; a counted one is also referenced meanwhile. A NULL future counts
 * as one that failed with -ENOMEM, so that calls can be nested without checks. */
struct aio_next aio_await(struct aio_co *, struct aio_future *borrowed,
                          struct aio_step next) AIO_NODISCARD;
struct aio_next aio_await_try(struct aio_co *, struct aio_future *borrowed,
                              struct aio_step next) AIO_NODISCARD;
/* await coroutine(): runs the child here and now, without a turn of the loop; its return
 * value or error is the outcome. The child is taken, also on failure. NULL: -ENOMEM. */
struct aio_next aio_delegate(struct aio_co *, struct aio_co *child_taken,
                             struct aio_step next) AIO_NODISCARD;
struct aio_next aio_delegate_try(struct aio_co *, struct aio_co *child_taken,
                                 struct aio_step next) AIO_NODISCARD;
/* await sleep(0): lets everything that is ready run once. */
struct aio_next aio_yield(struct aio_co *, struct aio_step next) AIO_NODISCARD;
/* Goes on at another step at once: no await, no turn of the loop. */
struct aio_next aio_goto(struct aio_co *, struct aio_step next) AIO_NODISCARD;
struct aio_next aio_return(struct aio_co *, struct value *taken) AIO_NODISCARD;
/* raise: err is a negative errno; -ECANCELED is CancelledError. */
struct aio_next aio_raise(struct aio_co *, int err, struct value *details_taken) AIO_NODISCARD;

/* How the last await ended: 0, -ECANCELED or a negative errno. *peek (may be NULL) gets the
 * value or the details: borrowed, NULL where there is none, valid until this step ends. */
int aio_outcome(const struct aio_co *, struct value **peek);

/* The scheduler of the task that runs this coroutine. */
struct aio_sched *aio_co_sched(const struct aio_co *);
