/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * listener - accepts connections on a socket that listens already.
 */
#include <uv.h>

#include "daemon/control/control.h"

struct listener {
    struct list node;        /* in control->listeners */
    struct control *control; /* borrowed */
    uv_pipe_t pipe;
};

/* Takes a listening socket over, also on failure; *ret is the control's, which closes it when it
 * stops. 0 or a negative errno with a sentence. */
int listener_new(struct control *, int fd, struct listener **ret, struct err *);
void listener_close(struct listener *); /* frees it, in a later turn of the loop */
