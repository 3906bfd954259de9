/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * socket_watch - makes the control socket again when its file is gone.
 *
 * A logout removes $XDG_RUNTIME_DIR, a cleaner of temporary files or a person what is in it; the
 * socket that is open then has no name any more, and nobody new can connect. A change of the path
 * (path_watch.h) is looked at a moment later, so that whoever removes a whole directory gets done
 * with it; then the directory and the socket are made again, as soon as that is possible.
 * A path that another aiod, or anything else, has taken meanwhile is left alone.
 */
#include <stdbool.h>

#include "base/log.h"
#include "daemon/service/path_watch.h"
#include "daemon/service/socket.h"

struct socket_watch {
    struct aio_loop *loop; /* borrowed, as all that follow */
    struct logger *log;
    struct socket_place place;
    struct socket_file file; /* that the socket is bound to; 0: it is to be made */
    bool systemd;            /* it came from systemd */
    /* Serves a new socket, taken over also on failure. 0 or a negative errno with a sentence. */
    int (*serve)(void *ctx, int fd, struct err *);
    void *ctx;
    /* private */
    struct path_watch watch;
    uv_timer_t delay; /* between a change and the look at it */
    int told;         /* the error that was logged last; 0: none since it was in its place */
    bool watching;
};

/* Watches from here on; the first members are set. A file that is not in its place is made
 * within this call. Without inotify it only says so. */
void socket_watch_start(struct socket_watch *);
/* Makes nothing any more; its handles are gone after the next turns of the loop. Only after a
 * start. */
void socket_watch_close(struct socket_watch *);
