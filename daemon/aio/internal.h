/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * internal - what the files of aio/ share among themselves.
 */
#include "daemon/aio/co.h"
#include "daemon/aio/future.h"

/* What a step asked for; the trampoline in task.c does it. */
enum aio_verdict {
    AIO_DO_AWAIT,    /* co->awaited */
    AIO_DO_DELEGATE, /* the child is the task's innermost coroutine now */
    AIO_DO_YIELD,
    AIO_DO_RESUME, /* co->next at once, with the outcome that is in co */
    AIO_DO_GOTO,   /* the same, with the outcome that the step saw */
    AIO_DO_END     /* co->err and co->value are what it ended with */
};

/* The done callback by which a task awaits, and the note that it has been scheduled. */
aio_done_fn aio_task_wakeup;
void aio_task_woken(struct aio_done *);
