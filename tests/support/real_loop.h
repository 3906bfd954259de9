/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * real_loop - a real event loop for tests, which checks that nothing is left when it ends.
 *
 * Never assert inside a callback of libuv or in a step: cmocka jumps out of it. Write down what
 * was found, stop the loop, look at it then.
 */
#include "daemon/aio/co.h"
#include "daemon/aio/loop.h"

struct real_loop {
    struct aio_loop loop;
    struct aio_done done; /* stops the loop when what is awaited is done */
    int fds;              /* descriptors that were open before */
};

void real_loop_init(struct real_loop *);
/* Closes it; checks that no task, no handle and no descriptor is left. */
void real_loop_done(struct real_loop *);
/* Runs until f is done. */
void real_loop_run_until(struct real_loop *, struct aio_future *f);
/* Runs the coroutine as a task to its end; returns 0 or its errno. */
int real_loop_run(struct real_loop *, struct aio_co *taken);
/* Descriptors that are open. */
int real_loop_count_fds(void);
