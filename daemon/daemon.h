/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * daemon - owns everything: the loop, the store, the tasks, the control socket, the link to the
 * spawner.
 */
#include "base/err.h"
#include "base/log.h"

struct daemon;
struct options;

/* Exit statuses of aiod; sysexits.h where one fits. */
enum daemon_exit {
    DAEMON_OK = 0,
    DAEMON_FAILED = 1,
    DAEMON_USAGE = 2,
    DAEMON_IOERR =
        74, /* EX_IOERR: the disk failed; what was not acknowledged may or may not be there */
    DAEMON_CONFIG = 78, /* EX_CONFIG: starting again will not help */
};

/* Opens everything: state, sockets, tasks. The options are borrowed and outlive it. 0, or a
 * negative errno with a sentence; -EINVAL means DAEMON_CONFIG. */
int daemon_new(struct daemon **ret, const struct options *, struct logger *, struct err *);
/* Serves until SIGTERM or SIGINT; returns the exit status. */
int daemon_run(struct daemon *);
struct daemon *daemon_free(struct daemon *); /* NULL is a no-op; returns NULL */
