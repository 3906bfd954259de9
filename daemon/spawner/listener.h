/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * listener - the socket, and the lock beside it that makes sure there is one spawner a path.
 *
 * PATH.lock is held by flock(2) until listener_done and holds the pid. It is never unlinked:
 * two could then hold a lock of the same name.
 */
#include <sys/types.h>

#include "base/err.h"

enum { LISTENER_BACKLOG = 16 }; /* connections that wait for accept; aiod makes one */

struct listener {
    int fd;         /* owned: listening */
    int lockfd;     /* owned */
    int dirfd;      /* owned: of the socket's directory */
    char name[256]; /* of the socket in it */
};

/* Listens at path, for the user `peer_uid` alone; a relative path is taken from the current
 * directory of now. 0; -EBUSY: another spawner serves it; or a negative errno; with a sentence.
 */
int listener_open(struct listener *l, const char *path, uid_t peer_uid, struct err *err);
void listener_done(struct listener *l); /* also after a failed open; unlinks the socket */
