/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * listener - the socket, and the lock beside it that makes sure there is one spawner a path.
 *
 * PATH.lock is held by flock(2) until listener_done and holds the pid. It is never unlinked:
 * two could then hold a lock of the same name. What somebody else removes (the socket, the lock,
 * the directory of both) listener_renew makes again.
 */
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

enum { LISTENER_BACKLOG = 16 }; /* connections that wait for accept; aiod makes one */

struct listener {
    int fd;              /* owned: listening */
    int lockfd;          /* owned */
    int dirfd;           /* owned: of the socket's directory */
    char name[256];      /* of the socket in it */
    char dir[PATH_MAX];  /* the directory, without symbolic links; "": not known */
    struct stat dir_was; /* its owner and mode */
    struct stat file;    /* of the socket that fd is bound to */
    uid_t peer_uid;      /* the user it is for */
};

/* Listens at path, for the user `peer_uid` alone; a relative path is taken from the current
 * directory of now. 0; -EBUSY: another spawner serves it; or a negative errno; with a sentence.
 */
int listener_open(struct listener *l, const char *path, uid_t peer_uid, struct err *err);
/* Whether the socket is where it was made. */
bool listener_is_there(const struct listener *l);
/* Whether the directory is there in which it was made, maybe under another name. */
bool listener_has_directory(const struct listener *l);
/* Makes what is missing of directory, lock and socket, which gets a new fd. The directory is made
 * if the one that it was in is there. 0; -EBUSY: another spawner has taken the path; or a negative
 * errno; with a sentence: nothing has changed then, but for the directory. */
int listener_renew(struct listener *l, struct err *err);
void listener_done(struct listener *l); /* also after a failed open; unlinks the socket */
