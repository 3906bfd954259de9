/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * unix_address - the sockaddr_un of a path of any length.
 *
 * sun_path holds 107 bytes. A longer path is reached as /proc/self/fd/DIRFD/NAME through a
 * descriptor of its directory, which must stay open until bind(2) or connect(2) is done.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

struct unix_address {
    struct sockaddr_un un;
    socklen_t len; /* for bind and connect */
    int dir_fd;    /* owned; -1 where the path fits */
};

/* The address of a path. 0, or a negative errno with a sentence; done is needed after success
 * only. */
int unix_address_init(struct unix_address *, const char *path, struct err *);
/* The address of a name in a directory that is open: the descriptor stays the caller's, and open
 * until the address was used. 0 or -ENAMETOOLONG. */
int unix_address_at(struct unix_address *, int dir_fd, const char *name);
void unix_address_done(struct unix_address *);

/* The directory of a path as an O_PATH descriptor (>= 0, close-on-exec, the caller's) and the
 * name behind it, which points into path; or a negative errno with a sentence. */
int unix_address_split(const char *path, const char **ret_name, struct err *);
