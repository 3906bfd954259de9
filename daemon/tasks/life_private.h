/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * life_private - what life.c, life_end.c and life_resume.c share: the frame and the ways on.
 */
#include "daemon/aio/co.h"
#include "daemon/tasks/life.h"

enum { LIFE_RETRY_MS = 1000 }; /* until what the disk refused is tried again */

struct life {
    struct aio_co co;
    struct task *task; /* borrowed: lives until life_ended frees it */
    struct store_call
        *call;            /* counted: the operation that is awaited, or whose rows are in use */
    struct value *result; /* counted: the outcome's value or error */
    struct value *usage;  /* counted */
    struct aio_step placed; /* where life_queue goes on */
    uint64_t ended_ns;      /* wall clock */
    enum store_outcome outcome;
};

static inline struct life *life_of(struct aio_co *co)
{
    return container_of(co, struct life, co);
}

/* The frame's done. */
void life_done(struct aio_co *);
/* The life of a task that was loaded (life_resume.c). */
extern const struct aio_co_fn life_resume_fn;

/* The operation that the next step awaits; the one before it is dropped. NULL without memory.
 */
struct store_call *life_call(struct life *, enum store_verb);
/* Awaits its time, and so on: the way of a task that has no attempt. */
struct aio_next life_time(struct life *) AIO_NODISCARD;
/* Awaits a place in its group, then goes on at `placed`, which sees a cancellation. */
struct aio_next life_queue(struct life *, struct aio_step placed) AIO_NODISCARD;
/* Runs the function on the row of life->call; attach: on what runs already. */
struct aio_next life_run(struct life *, bool attach) AIO_NODISCARD;
/* The step behind the function (life_end.c). */
struct aio_next life_returned(struct aio_co *) AIO_NODISCARD;
/* What it holds goes; recorded: its outcome is on disk. */
void life_let_go(struct task *, bool recorded);
/* Ends the task with an error (details borrowed), or lets it go when the daemon stops. */
struct aio_next life_failed(struct life *, int err, struct value *details) AIO_NODISCARD;
/* The daemon stops: the task stays in the store as it is there. */
struct aio_next life_leave(struct life *) AIO_NODISCARD;
