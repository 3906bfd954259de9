/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * control_socket - where clients come in: the socket that systemd passed or one of aiod's own,
 * served by control/, and made again when it is removed (service/socket_watch.h).
 *
 * A new socket takes the place of the one before: that has no name any more, and who had
 * connected to it is long accepted. systemd's is kept, so that it serves again if it is moved
 * back.
 */
#include "base/log.h"
#include "daemon/service/socket_watch.h"

struct config;
struct control;
struct listener;
struct options;

struct control_socket {
    struct control *control; /* borrowed, as all that follow; its socket_path is set here */
    const struct options *options;
    const struct config *config; /* as it was at the start */
    struct logger *log;
    /* private */
    char *path;           /* owned */
    struct listener *own; /* borrowed: on the socket that was made here last; NULL: none */
    struct socket_watch watch;
};

/* Takes systemd's socket or makes one, and listens. The first members are set, and the control's
 * loop, tasks and log. 0, or a negative errno with a sentence. */
int control_socket_open(struct control_socket *, struct err *);
/* Before the daemon stops, and before free: no socket is made any more. May run twice. */
void control_socket_close(struct control_socket *);
void control_socket_done(struct control_socket *); /* frees what it owns */
