/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * task - a coroutine scheduled on the loop: asyncio.Task.
 *
 * A task is a future (task->future): await it, add callbacks to it, cancel it. Whoever
 * creates it holds one reference; while it is not done the scheduler holds another, so no
 * task can vanish in the middle of its work.
 *
 * Cancellation is CPython's to the letter (Lib/asyncio/tasks.py): aio_task_cancel asks; what
 * the task awaits is cancelled in turn, down the chain; -ECANCELED arrives at the
 * await; a task may catch it and go on. One that is cancelled before its first step never
 * runs it. A cancel that comes before the step that would see a result wins. A task that
 * awaits itself gets -EDEADLK, one that awaits a future of another scheduler -EINVAL.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/aio/co.h"
#include "daemon/aio/future.h"

/* Where a task's time went, in nanoseconds of the scheduler's step_clock. */
struct aio_task_stats {
    uint32_t steps;
    uint32_t longest_ns; /* the longest step; saturates */
    uint64_t run_ns;     /* in steps */
    uint64_t ready_ns;   /* woken, not yet run */
};

enum aio_task_phase {
    AIO_TASK_READY,     /* a step is in the ready queue */
    AIO_TASK_RUNNING,   /* its step runs now */
    AIO_TASK_SUSPENDED, /* awaits a future that is pending */
    AIO_TASK_DONE
};

struct aio_task {
    struct aio_future future; /* first: the task is one */
    struct aio_co *co;        /* owned: the innermost coroutine, its callers behind it */
    struct aio_done awaiting; /* private: wakes it; .future is what it awaits, or NULL */
    struct aio_handle step;   /* private: runs its next step */
    struct value *reason;     /* owned: of the last cancel; may be NULL */
    struct aio_task_stats stats;
    uint64_t since_ns;   /* step_clock when its phase last changed */
    void *owner;         /* for the creator's use; NULL */
    uint32_t cancelling; /* Task.cancelling(): requests not taken back */
    bool must_cancel;    /* private: -ECANCELED at the next step */
    bool visited;        /* private: by the aio_task_cancel that runs */
};

/* create_task: schedules the first step for the next turn, never runs it here. The coroutine
 * is taken, also on failure. NULL without memory (or with co NULL). Creation order is the order
 * of first steps. */
struct aio_task *aio_task_new(struct aio_sched *, struct aio_co *taken);
struct aio_task *aio_task_ref(struct aio_task *);   /* may be NULL */
struct aio_task *aio_task_unref(struct aio_task *); /* may be NULL; returns NULL */
DEFINE_CLEANUP(struct aio_task, aio_task_unref)

/* Task.cancel(msg): false when it is done. True means asked, not cancelled. Of tasks that await
 * each other in a circle, the last one gets the -ECANCELED itself. */
bool aio_task_cancel(struct aio_task *, struct value *reason_borrowed);
uint32_t aio_task_cancelling(const struct aio_task *); /* Task.cancelling() */
uint32_t aio_task_uncancel(struct aio_task *);         /* Task.uncancel(): what is left */

enum aio_task_phase aio_task_phase(const struct aio_task *);
/* The task whose step runs now, or NULL: asyncio.current_task(). */
struct aio_task *aio_task_current(const struct aio_sched *);
/* The names of the step that runs or runs next in the innermost coroutine, and of that
 * coroutine's function; NULL once done. For status and traces. */
const char *aio_task_step_name(const struct aio_task *);
const char *aio_task_function_name(const struct aio_task *);
