/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * socket - the listening control socket: handed over by systemd, or made here.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* Where it is, and for whom. */
struct socket_place {
    const char *path; /* borrowed, absolute; may be longer than sun_path */
    mode_t mode;
    gid_t group;     /* (gid_t)-1: the one that the process has */
    mode_t dir_mode; /* of its directory, where that has to be made */
};

/* The file that a socket is bound to. As long as the socket is open no other file has these
 * numbers. */
struct socket_file {
    dev_t dev;
    ino_t ino; /* 0: none */
};

/* Makes a directory with the mode, and what is missing above it (0700); one that is there stays
 * as it is. 0 or a negative errno with a sentence. */
int socket_make_dir(const char *path, mode_t mode, struct err *);

/* The descriptor that systemd passed under the name "control" (sd_listen_fds_with_names(3)): >=
 * 0, -ENOENT for none, or a negative errno with a sentence. Others that it passed are closed.
 */
int socket_from_systemd(struct err *);
/* The path that a socket is bound to; owned by the caller. 0, -ENOENT where it has none (it is
 * abstract), or -ENOMEM. */
int socket_path(int fd, char **ret);

/* Makes the socket and its directory, and listens: >= 0, or a negative errno with a sentence;
 * -EADDRINUSE: another aiod answers there, or there is something else. A socket that nobody
 * answers on is replaced. */
int socket_bind(const struct socket_place *, struct socket_file *ret, struct err *);

/* Is it that file which the path names? */
bool socket_is_at(const char *path, const struct socket_file *);
/* Does the path lead to a socket that this process listens on? Then *ret is its file. Nobody
 * waits for it to accept. */
bool socket_is_ours(const char *path, struct socket_file *ret);
