/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * detached - an aiod of the user's own without a service manager: a process that outlives the
 * terminal.
 *
 * It gets a session of its own, the working directory /, umask 077, no descriptors but /dev/null
 * and STATE/aiod.log, default signals, and of the environment what says where things are.
 * Whoever starts one holds STATE/start.lock, so that many at once start one; the lock of the
 * state directory, which aiod holds, decides in any case.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct detached {
    char *state_dir; /* owned: as `aiod --user` has it */
    char *log;       /* owned: STATE/aiod.log */
    int lock_fd;     /* owned; -1: not held */
    int log_fd;      /* owned; -1: not open */
    off_t log_begin; /* where what the new process says begins */
    pid_t pid;       /* 0: none was started (yet) */
};
#define DETACHED_INIT                                                                          \
    {                                                                                          \
        .lock_fd = -1, .log_fd = -1                                                            \
    }

/* Finds and makes the state directory. 0 or a negative errno with a sentence. */
int detached_begin(struct detached *, struct err *);
/* One step on the way: takes the lock, waits for the end of an aiod that is stopping, starts
 * one, looks whether it still runs. To be called every few milliseconds until the socket
 * answers. 0, or a negative errno with a sentence: the reason that aiod gave before it ended. */
int detached_step(struct detached *, struct err *);
/* The pid of an aiod that has the state directory; 0: nobody has it. */
pid_t detached_holder(const struct detached *);
void detached_done(struct detached *); /* gives the lock back; the process goes on */
