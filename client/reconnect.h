/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * reconnect - a command that waits outlasts the event loop: a restart, an upgrade, a kill -9.
 *
 * Nothing that was accepted is lost with the connection, so a command that only watches can ask
 * again. context_call_again does it for one request; a command with several under way calls
 * these two:
 *
 *     do
 *         r = ask for what has not been seen, and wait for it;
 *     while (reconnect_helps(c, r) && (r = reconnect(c, err)) == 0);
 */
#include <stdbool.h>

#include "client/context.h"

enum { RECONNECT_SECONDS = 30 }; /* from the break; $AIOD_RECONNECT is another duration */

/* Whether r, which a call of the link has returned, means that the event loop went away: the
 * connection has ended, or it answered that it is stopping. Other errors are its answer. */
bool reconnect_helps(const struct context *, int r);
/* Waits for the event loop to come back, and says on stderr that it does and that it did. On 0
 * there is a new connection, hello has been answered, and nothing is under way. The watched
 * descriptor is served meanwhile (its callback finds c->away; what it queues is lost), and what
 * the callback returns below 0 ends it. Else a negative errno with a sentence: it did not come
 * back (link.broken is set), another one answers there (likewise), or -ETIMEDOUT: the deadline
 * of the context has passed. */
int reconnect(struct context *, struct err *);
