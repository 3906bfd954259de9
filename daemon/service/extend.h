/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * extend - tells systemd that a long start is not stuck (EXTEND_TIMEOUT_USEC of sd_notify(3)).
 *
 * Checking a large database after a crash takes as long as the disk needs to read it, on the only
 * thread that there is by then. Another one asks for more time every few seconds, as long as this
 * process works: uses the processor or reads from a disk. One that hangs gets no more time.
 */
#include <stdbool.h>
#include <uv.h>

struct extend {
    /* private */
    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t ended;
    bool end;     /* under the lock */
    bool started; /* the thread is to be joined */
};

/* Without NOTIFY_SOCKET nothing happens. */
void extend_begin(struct extend *);
void extend_end(struct extend *); /* may run twice */
