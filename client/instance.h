/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * instance - which event loop a command talks to: the path of its control socket.
 *
 * --socket; else --user or --system; else AIOD_SOCKET; else whichever of these two answers
 * first: the user's own, if its socket is there; the system's, if that is there.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define INSTANCE_SYSTEM_SOCKET "/run/aiod/control.sock"

/* What the choice depends on; texts are borrowed and may be NULL. */
struct instance_query {
    const char *socket;        /* --socket */
    bool user;                 /* --user */
    bool system;               /* --system */
    const char *env_socket;    /* $AIOD_SOCKET; "": not set */
    const char *runtime_dir;   /* $XDG_RUNTIME_DIR */
    const char *system_socket; /* INSTANCE_SYSTEM_SOCKET, but in tests */
    uid_t uid;
};

enum instance_kind {
    INSTANCE_GIVEN,  /* by its path */
    INSTANCE_USER,   /* the user's own */
    INSTANCE_SYSTEM, /* the system's */
};

enum { INSTANCES_MAX = 2 };

/* Where to try, in this order. */
struct instances {
    char *path[INSTANCES_MAX]; /* owned: of the control socket */
    enum instance_kind kind[INSTANCES_MAX];
    size_t n;
    size_t own;     /* which of them is the user's own; 0 where none is */
    bool chosen;    /* one was asked for: no other will do */
    bool startable; /* the user's own is among them, and starting it contradicts nobody */
};
void instances_done(struct instances *);

/* *ret is done by the caller. 0, -EINVAL (a contradiction) or -ENOMEM, with a sentence. */
int instance_choose(const struct instance_query *, struct instances *ret, struct err *);
/* The user's own socket, whether it is there or not; owned by the caller, NULL without memory.
 * As `aiod --user` makes it. */
char *instance_user_socket(const struct instance_query *);
/* A connected stream socket (the caller's, non-blocking), also to a path longer than sun_path. A
 * negative errno with a sentence; -EAGAIN: the queue of those who want to connect is full. */
int instance_connect(const char *path, struct err *);
/* Whether a connect that failed with r means that nobody listens there. */
bool instance_absent(int r);
/* Replaces the sentence of a connect to the i-th that failed with r by one that says what to
 * do. Returns r. */
int instance_advise(const struct instances *, size_t i, int r, struct err *);
