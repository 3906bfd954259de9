/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * instance - which event loop a command talks to: the path of its control socket.
 *
 * The first of: --socket; --user or --system; AIOD_SOCKET; the user's own socket, if it is
 * there; the system's.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define INSTANCE_SYSTEM_SOCKET "/run/aiod/control.sock"

/* What the choice depends on; texts are borrowed and may be NULL. */
struct instance_query {
    const char *socket;      /* --socket */
    bool user;               /* --user */
    bool system;             /* --system */
    const char *env_socket;  /* $AIOD_SOCKET */
    const char *runtime_dir; /* $XDG_RUNTIME_DIR */
    uid_t uid;
};

/* *ret is owned by the caller. 0, -EINVAL (a contradiction) or -ENOMEM, with a sentence. */
int instance_choose(const struct instance_query *, char **ret, struct err *);
/* A connected stream socket (the caller's), also to a path longer than sun_path. A negative
 * errno with a sentence that says what to do. */
int instance_connect(const char *path, struct err *);
