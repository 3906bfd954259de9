/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * job - what a frame shares with a thread, the executor's or the store's: the last of the two frees
 * it.
 *
 * A thread cannot be interrupted, so a frame that is cancelled is gone before it. What the thread
 * works on is therefore counted: one reference is the frame's, one each run's (job_run) or that of
 * the commit it goes with (store_call_then). Embedded at the head of the struct that holds the
 * arguments and results; counted on the loop thread alone.
 */
#include <stdbool.h>

#include "daemon/aio/future.h"
#include "daemon/aio/loop.h"

struct job {
    unsigned refs;
    void (*free)(struct job *); /* releases the struct around it */
};
typedef int job_fn(struct job *);

void job_init(struct job *, void (*free)(struct job *)); /* one reference, the caller's */
struct job *job_ref(struct job *);                       /* may be NULL; returns it */
struct job *job_unref(struct job *);                     /* may be NULL; returns NULL */
/* Runs fn on a thread; what it returns is the outcome of the future (one reference, the
 * caller's). NULL without memory, or for a NULL job: nothing runs. */
struct aio_future *job_run(struct job *, struct aio_loop *, job_fn *fn);
/* A thread may use it still: its results are not there yet. For who holds the one reference that
 * is no run's. */
static inline bool job_running(const struct job *j)
{
    return j->refs > 1;
}
