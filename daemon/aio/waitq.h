/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * waitq - a line of coroutines that wait to be given something: a permit, a lock, an item.
 *
 * First come, first served. Who gives marks the first waiter as the one who has got the thing
 * and wakes it. A cancel may still reach that waiter before its step runs; its await ends
 * with -ECANCELED then although the thing is its own: aio_waiter_leave says so, and the
 * primitive gives it to the next in line, so that nothing is ever lost.
 *
 * In a step:   aio_waiter_join(&frame->waiter, &lock->line);
 *              return aio_await_try(co, &frame->waiter.turn, STEP(lock_end));
 * In the next: bool given = aio_waiter_leave(&frame->waiter);
 *              if (given && aio_outcome(co, NULL) < 0) … take the thing back, give it on …
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/aio/future.h"

struct aio_waitq {
    struct aio_sched *sched; /* borrowed */
    struct list line;        /* of aio_waiter.node: those who have got nothing yet */
    uint32_t given;          /* waiters who have got it and whose step has not run yet */
};

/* A place in line; embedded in the frame of who waits. */
struct aio_waiter {
    struct aio_future turn;  /* what to await */
    struct list node;        /* private: in queue->line while turn is pending */
    struct aio_waitq *queue; /* borrowed; NULL when not in line */
    bool given;
};

void aio_waitq_init(struct aio_waitq *, struct aio_sched *);
/* Nobody is in line, and everybody who has been given something has run since. */
bool aio_waitq_idle(const struct aio_waitq *);
/* Gives to the first in line and wakes it; false when there is nobody. */
bool aio_waitq_give(struct aio_waitq *);

/* At the end of the line. The waiter stays in place until it has left. */
void aio_waiter_join(struct aio_waiter *, struct aio_waitq *);
/* To be called once turn has been awaited, however that ended. True when it had been given the
 * thing. May be called on zeroed memory and twice: false. */
bool aio_waiter_leave(struct aio_waiter *);
