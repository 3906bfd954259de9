/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * store_call - an operation of the store as a future that can be awaited.
 *
 * A commit cannot be taken back: cancelling such a future does nothing, so an await of it lasts
 * until the store has answered and the cancellation is delivered then. That is why the rows may
 * point into the caller's frame.
 */
#include "daemon/aio/future.h"
#include "daemon/store/store.h"
#include "daemon/tasks/job.h"

/* Called on the store's thread with the row that the operation has read. */
typedef void store_call_fn(struct job *, const struct store_task *row);

struct store_call {
    struct aio_future future; /* finishes with no value, or fails with the op's errno */
    struct store_op op;       /* fill it, then store_call_start */
    struct job *job;          /* counted; what `committed` works on; or NULL */
    store_call_fn *committed;
    struct store_task submitted; /* the row of a STORE_SUBMIT: strings borrowed until it is
                                    answered; args, env and creds counted */
};

/* Zeroed, with one reference, the caller's; NULL without memory. */
struct store_call *store_call_new(struct aio_sched *, enum store_verb);
/* Before the start: fn(job, row) is to be called once the operation is committed, while nobody else
 * touches the job. Nothing for a NULL job. */
void store_call_then(struct store_call *, struct job *taken, store_call_fn *fn);
/* Queues it; it holds a reference of its own until it is answered. Returns its future, for
 * aio_await. Its rows are freed with the last reference. */
struct aio_future *store_call_start(struct store_call *, struct store *);
struct store_call *store_call_unref(struct store_call *); /* may be NULL; returns NULL */
/* For aio_future_ops.cancel of what the disk decides: false, nothing is cancelled. */
bool store_call_keep_waiting(struct aio_future *, struct value *reason);
DEFINE_CLEANUP(struct store_call, store_call_unref)
