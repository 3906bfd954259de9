/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * socket - the listening control socket: handed over by systemd, or made here.
 */
#include <sys/types.h>

#include "base/err.h"

/* Makes a directory with the mode, and what is missing above it (0700); one that is there stays
 * as it is. 0 or a negative errno with a sentence. */
int socket_make_dir(const char *path, mode_t mode, struct err *);

/* The descriptor that systemd passed under the name "control" (sd_listen_fds_with_names(3)): >=
 * 0, -ENOENT for none, or a negative errno with a sentence. Others that it passed are closed.
 */
int socket_from_systemd(struct err *);

/* Binds dir/control.sock with the mode and group and listens: >= 0, or a negative errno with a
 * sentence; -EADDRINUSE: another aiod answers there. A socket that nobody answers on is
 * replaced. The path may be longer than sun_path. */
int socket_bind(const char *dir, mode_t mode, gid_t group, struct err *);
