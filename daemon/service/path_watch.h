/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * path_watch - a call when what a path names may have changed: when it, or a directory above it,
 * is made, removed, moved, or mounted over.
 *
 * Nothing is polled. While the path is there it is quiet: of the directories above it only moves
 * of their own are watched, so that a busy /tmp wakes nobody; and changes of the mount table,
 * which inotify(7) does not tell. While it is missing, everything that happens in the directories
 * that are there is told. A directory that may not be read cannot be watched and is left out.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "daemon/aio/reader.h"

struct path_watch {
    struct aio_loop *loop;      /* borrowed, as all that follow */
    const char *path;           /* absolute */
    void (*changed)(void *ctx); /* from the loop; maybe for nothing, and often in a row */
    void *ctx;
    /* private */
    int fd;                    /* owned: inotify */
    int mounts_fd;             /* owned: the mount table; -1: there is no /proc */
    struct aio_reader *reader; /* owned */
    struct aio_reader *mounts; /* owned */
    int *watches;              /* owned array: descriptors of inotify */
    size_t len, cap;
};

/* The first members are set. 0, or a negative errno with a sentence; then nothing is left open. */
int path_watch_init(struct path_watch *, struct err *);
/* Watches the directories that are there now, in the place of those before; there: the path
 * itself is. Look at the path after it, not before: what changes from here on is told, what
 * changed until now is not. 0, or -ENOMEM or -ENOSPC (inotify(7), max_user_watches): then some are
 * not watched. */
int path_watch_arm(struct path_watch *, bool there);
void path_watch_done(struct path_watch *); /* no call comes afterwards; may run twice */
