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

struct store_call {
    struct aio_future future;    /* finishes with no value, or fails with the op's errno */
    struct store_op op;          /* fill it, then store_call_start */
    struct store_task submitted; /* the row of a STORE_SUBMIT: strings borrowed until it is
                                    answered; args, env and creds counted */
};

/* Zeroed, with one reference, the caller's; NULL without memory. */
struct store_call *store_call_new(struct aio_sched *, enum store_verb);
/* Queues it; it holds a reference of its own until it is answered. Returns its future, for
 * aio_await. Its rows are freed with the last reference. */
struct aio_future *store_call_start(struct store_call *, struct store *);
struct store_call *store_call_unref(struct store_call *); /* may be NULL; returns NULL */
DEFINE_CLEANUP(struct store_call, store_call_unref)
