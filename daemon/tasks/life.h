/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * life - the life of a task, from its submit to its outcome, as one coroutine.
 */
#include "daemon/tasks/record.h"
#include "daemon/tasks/store_call.h"

/* Begins the life of a task that was just submitted; `submitted` is the operation that records
 * it (taken). 0 or -ENOMEM: the task is as it was. */
int life_submit(struct task *, struct store_call *submitted);
/* Begins it for a task that was loaded; row has no args. 0 or -ENOMEM. */
int life_resume(struct task *, const struct store_task *row);
/* Asks it to end: the cancellation of task->cancel_ns, or the daemon's stop. */
void life_cancel(struct task *);
