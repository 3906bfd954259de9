/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * address - the sockaddr_un of a path of any length.
 *
 * sun_path holds 107 bytes. A longer path is reached as /proc/self/fd/DIRFD/NAME through a
 * descriptor of its directory, which must stay open until bind(2) or connect(2) is done.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

struct address {
    struct sockaddr_un un;
    socklen_t len;
    int dirfd; /* owned; -1 where the path fits */
};

/* 0, or a negative errno with a sentence; address_done is needed after success only. */
int address_init(struct address *a, const char *path, struct err *err);
void address_done(struct address *a);

/* The directory of a path as an O_PATH descriptor (>= 0, close-on-exec) and the name behind it,
 * which points into path; or a negative errno with a sentence. */
int address_split(const char *path, const char **ret_name, struct err *err);
