/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * actor - a coroutine for tests: a name, a body of the test's own steps, and a few fields that
 * these may use as they like. What it does goes into the trace of its fake loop.
 */
#include "daemon/aio/co.h"
#include "daemon/aio/task.h"
#include "tests/support/fake_loop.h"

struct actor {
    struct aio_co co;
    struct fake_loop *loop;    /* borrowed */
    const char *name;          /* static */
    struct aio_step body;      /* its first step */
    struct aio_future *future; /* borrowed: mostly what it awaits */
    struct aio_task *task;     /* borrowed */
    struct aio_co *child;      /* owned: mostly what it delegates to */
    void *arg;                 /* borrowed */
    int n;
};

/* A coroutine object that begins at body. future is what its field is set to. */
struct actor *actor_new(struct fake_loop *, const char *name, struct aio_step body,
                        struct aio_future *future);
/* The same as a task, which the fake loop keeps. */
struct aio_task *actor_start(struct fake_loop *, const char *name, struct aio_step body,
                             struct aio_future *future);
struct actor *actor_of(struct aio_co *);
/* Of a task that has not ended and whose innermost coroutine is an actor. */
struct actor *actor_of_task(struct aio_task *);

/* "NAME WHAT" into the trace. */
void actor_note(struct aio_co *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "NAME OUTCOME" into the trace; returns the errno. */
int actor_note_outcome(struct aio_co *);
/* Ends as what was awaited ended: a value, or the same error. */
struct aio_next actor_pass(struct aio_co *) AIO_NODISCARD;

/* ---- bodies and steps that many tests need ---- */
aio_step_fn actor_end;        /* notes "NAME ends" and returns nothing */
aio_step_fn actor_wait;       /* awaits ->future, notes the outcome, ends with the same */
aio_step_fn actor_wait_plain; /* awaits ->future without _try; notes and returns its value */
aio_step_fn actor_yields;     /* notes "NAME N", N = n, n-1, …, 1, a turn between each two */
