/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * loop - the libuv shell around the scheduler: gives it the time, sleeps for it.
 *
 * One idle/check pair runs the turns; one timerfd a clock (armed only while that clock has a
 * deadline) ends the sleep, because libuv's own timers stand still while the machine
 * is suspended and know no wall clock. Nothing ticks: an idle loop makes no system call.
 */
#include <stdbool.h>
#include <uv.h>

#include "base/posted.h"
#include "daemon/aio/sched.h"

struct aio_future;

struct aio_loop {
    struct aio_sched sched;
    uv_loop_t uv;
    /* private */
    uv_check_t check;
    uv_idle_t idle;
    uv_poll_t arriving; /* call_soon_threadsafe */
    int posted_fd;      /* what arriving polls */
    uv_poll_t timer[AIO_CLOCKS];
    int timerfd[AIO_CLOCKS];
    uint64_t armed[AIO_CLOCKS]; /* the deadline each timerfd is set to; UINT64_MAX: none */
    uint64_t lag_max_ns;        /* the longest turn so far */
    uv_mutex_t posted_lock;
    struct list posted;        /* of posted.node, from other threads; under the lock */
    struct list arrived;       /* the same, on the loop thread */
    struct aio_handle arrival; /* runs what has arrived */
    unsigned jobs;             /* of the executor, not yet finished */
    unsigned closing;          /* handles whose close callback is still to come */
    bool running;              /* inside aio_loop_run */
    bool stopping;             /* aio_loop_stop was called */
};

/* 0 or a negative errno; nothing is left open then. */
int aio_loop_init(struct aio_loop *);
/* run_forever: until aio_loop_stop. */
void aio_loop_run(struct aio_loop *);
/* Ends aio_loop_run after the turn that runs; if none does, the next aio_loop_run makes exactly
 * one. */
void aio_loop_stop(struct aio_loop *);
/* Waits for the executor's jobs, closes its own handles, runs the loop until they are closed,
 * and forgets calls that were posted too late; every other handle must have been closed by its
 * owner. 0, or -EBUSY when one was left: close it and call again. */
int aio_loop_close(struct aio_loop *);

/* loop.call_soon_threadsafe: runs posted->fn(posted->arg) on the loop thread, within a turn, in
 * the order of posting. May be called from any thread; posted must stay until fn runs, and is
 * not touched afterwards. A thread that posts is joined before the loop is closed: fn may run
 * before aio_loop_post has returned. */
void aio_loop_post(struct aio_loop *, struct posted *);

/* loop.run_in_executor: fn(arg) on libuv's thread pool; the future (counted, the caller's
 * reference) finishes with no value when fn returned 0, else fails with the negative errno.
 * Cancelling the future does not stop the thread: fn still runs to its end, and `after`
 * (may be NULL) is called with arg on the loop thread then, whatever became of the future; it
 * owns arg. NULL without memory: neither fn nor after is called. */
struct aio_future *aio_run_in_executor(struct aio_loop *, int (*fn)(void *arg),
                                       void (*after)(void *arg), void *arg);
