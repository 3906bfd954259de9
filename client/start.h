/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * start - the user's own event loop, started because `submit` or `run` found none.
 *
 * By `systemctl --user start aiod.socket` where the user's systemd can be reached and has that
 * unit; else detached (detached.h). AIOD_NO_START forbids it.
 */
#include "client/context.h"

/* Connects c->link to the user's own socket, starting the event loop if none answers there:
 * then says so on stderr, in one line. On 0 hello has been answered. The watched descriptor of
 * the link is served meanwhile. Else what its callback returned (-ECANCELED), or a negative errno
 * with a sentence: link.broken is set, because no event loop answers. */
int start(struct context *c, const char *socket, struct err *err);
