/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * notify - what systemd is told (sd_notify(3)): READY, RELOADING, STOPPING, STATUS, ERRNO, the
 * watchdog.
 *
 * STATUS holds numbers alone: a task's name with a newline in it would be a command to
 * systemd. Without NOTIFY_SOCKET nothing happens, and without WATCHDOG_USEC nothing ticks.
 * Nothing here blocks: where systemd does not read, STATUS and the watchdog's word are left out,
 * and the others are said again a moment later.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/unix_address.h"
#include "daemon/aio/loop.h"

struct notify_counts {
    uint64_t pending, running, suspended, done;
};

struct notify {
    struct aio_loop *loop; /* borrowed */
    /* Fills in what STATUS shows; called when it is due. */
    void (*count)(void *ctx, struct notify_counts *);
    /* Called before each word to the watchdog, which the loop says by turning: does the rest work
     * too? When not, nothing is said, and systemd ends the process after WATCHDOG_USEC. */
    bool (*healthy)(void *ctx);
    void *ctx;
    /* private */
    uv_timer_t watchdog; /* half of WATCHDOG_USEC */
    uv_timer_t status;   /* bounds how often STATUS is sent; runs only after a change */
    uv_timer_t retry;    /* for what was owed */
    struct unix_address address;
    int fd;         /* owned; -1: nobody listens */
    char text[128]; /* the last STATUS */
    char owed[128]; /* what could not be said; "": nothing */
    uint64_t watchdog_ns;
};

/* How often the watchdog wants to hear something, in nanoseconds; 0: there is none. */
uint64_t notify_watchdog_ns(void);
/* Is this process a unit's main process (SYSTEMD_EXEC_PID of systemd.exec(5) is ours)? INVOCATION_ID
 * says less: it is inherited by everything that a unit starts, terminals included. */
bool notify_supervised(void);
/* Without a struct notify, from any thread: one message, if it can be sent at once. */
void notify_once(const char *text);
void notify_failed(int err); /* likewise: ERRNO=, why it does not start; err is positive */

void notify_init(struct notify *, struct aio_loop *); /* the callbacks are set before */
void notify_ready(struct notify *);
void notify_reloading(struct notify *);
void notify_stopping(struct notify *);
void notify_errno(struct notify *,
                  int err); /* ERRNO=: why it is going to exit; err is positive */
/* The counts have changed: STATUS is sent within a second, if it reads differently then. */
void notify_changed(struct notify *);
/* Closes its handles; they are gone after the next turns of the loop. */
void notify_close(struct notify *);
