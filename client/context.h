/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * context - what a running command has at hand: the connection, the terminal, the way to say
 * things.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/command.h"
#include "client/exit.h"
#include "client/link.h"
#include "client/view.h"

/* The options that every verb takes. */
struct context_options {
    const char *socket;
    const char *color;
    bool user;
    bool system;
    bool help;
    bool version;
};

struct context {
    const struct command *command; /* NULL while there is no verb */
    struct context_options options;
    bool own_exit; /* own errors end with 125; from the command, or --propagate */
    struct link link;
    uint32_t hello_msgid;
    struct reply *hello; /* owned; NULL until context_hello */
};

void context_init(struct context *);
void context_done(struct context *);

/* "aioctl: VERB: sentence" on stderr, escaped. */
void context_say(const struct context *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Says the error and returns the exit status for it. -EPIPE from stdout is not said. */
int context_fail(const struct context *, const struct err *);

/* Connects and queues hello; a second call does nothing. 0 or a negative errno with a sentence.
 */
int context_connect(struct context *, struct err *);
/* Waits for the answer to hello, once. */
int context_hello(struct context *, struct err *);
/* Waits for the response to a request queued by link_request, and for hello before it. */
int context_wait(struct context *, uint32_t msgid, struct reply **ret, struct err *);
/* Connects where needed, asks and waits; the packed params are freed in any case. */
int context_call(struct context *, const char *method, struct buf *params, struct reply **ret,
                 struct err *);

/* Writes the buf to stdout and frees it. Returns the exit status; problems have been said. */
int context_print(const struct context *, struct buf *);
/* The time, and what stdout is. */
struct view context_view(const struct context *);
/* "auto", "always", "never" and what the environment says, as yes or no. */
bool context_color(const char *option, bool tty, const char *no_color, const char *term);
