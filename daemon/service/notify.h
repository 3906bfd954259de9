/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * notify - what systemd is told (sd_notify(3)): READY, RELOADING, STOPPING, STATUS, the
 * watchdog.
 *
 * STATUS holds numbers alone: a task's name with a newline in it would be a command to
 * systemd. Without NOTIFY_SOCKET nothing happens, and without WATCHDOG_USEC nothing ticks.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/aio/loop.h"

struct notify_counts {
    uint64_t pending, running, suspended, done;
};

struct notify {
    struct aio_loop *loop; /* borrowed */
    uv_timer_t watchdog;   /* half of WATCHDOG_USEC */
    uv_timer_t status;     /* bounds how often STATUS is sent; runs only after a change */
    /* Fills in what STATUS shows; called when it is due. */
    void (*count)(void *ctx, struct notify_counts *);
    void *ctx;
    char text[128]; /* the last STATUS */
    bool enabled;   /* NOTIFY_SOCKET is set */
    bool has_watchdog;
};

void notify_init(struct notify *, struct aio_loop *); /* count and ctx are set before */
/* Is this process a unit's main process (SYSTEMD_EXEC_PID of systemd.exec(5) is ours)? INVOCATION_ID
 * says less: it is inherited by everything that a unit starts, terminals included. */
bool notify_supervised(void);
void notify_ready(struct notify *);
void notify_reloading(struct notify *);
void notify_stopping(struct notify *);
void notify_errno(struct notify *,
                  int err); /* ERRNO=: why it is going to exit; err is positive */
/* The counts have changed: STATUS is sent within a second, if it reads differently then. */
void notify_changed(struct notify *);
/* Closes its handles; they are gone after the next turns of the loop. */
void notify_close(struct notify *);
