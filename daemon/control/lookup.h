/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * lookup - the row of a task in the store, if the caller may see it.
 */
#include "daemon/control/call.h"

/* A coroutine object that awaits the row and puts the answered call, with its one row, into *ret
 * (counted, the caller's; what was there is dropped). It raises -ENOENT, with the sentence in
 * call->err, when there is no such task or it is another user's; with `optional` it returns, and
 * *ret is NULL then. NULL without memory. */
struct aio_co *lookup_row(struct call *, uint64_t id, bool optional, struct store_call **ret);

/* The same in two halves, for those who read many at a time. start: the call whose future to
 * await, counted; NULL without memory. row, once it is answered: borrowed; NULL: there is no such
 * task, or it is another user's. */
struct store_call *lookup_start(struct call *, uint64_t id);
const struct store_task *lookup_answer(const struct call *, const struct store_call *);
