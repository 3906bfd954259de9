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
    bool own_exit;    /* own errors end with 125; from the command, or --propagate */
    bool brief;       /* one request and its answer: no hello, which would wake it once more */
    bool may_start;   /* where no event loop answers, the user's own may be started */
    bool away;        /* the event loop has gone, and reconnect waits for it */
    uint64_t back_ns; /* when reconnect found it the last time (clock_awake()); 0: never */
    struct link link;
    uint32_t hello_msgid;
    struct reply *hello;  /* owned; NULL until context_hello */
    uint64_t deadline_ns; /* when the caller stops waiting (clock_awake()), also for an event
                             loop that has gone away; 0: never */
};

void context_init(struct context *);
void context_done(struct context *);

/* "aioctl: VERB: sentence" on stderr, escaped. */
void context_say(const struct context *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Says the error and returns the exit status for it. -EPIPE from stdout is not said. */
int context_fail(const struct context *, const struct err *);

/* Connects to the instance that the options and the environment choose, starting the user's own
 * if may_start, and queues hello unless brief; a second call does nothing. 0 or a negative errno
 * with a sentence. */
int context_connect(struct context *, struct err *);
/* Waits for the answer to hello, or where there is none for anything to come, once. Says on
 * stderr when it takes long. */
int context_hello(struct context *, struct err *);
/* Waits for the response to a request queued by link_request, and for hello before it. */
int context_wait(struct context *, uint32_t msgid, struct reply **ret, struct err *);
/* Connects where needed, asks and waits; the packed params are freed in any case. */
int context_call(struct context *, const char *method, struct buf *params, struct reply **ret,
                 struct err *);

/* Packs the map of parameters into an empty buf (leaving it empty means none); again: the
 * connection broke and this asks once more, for what has not been seen yet. */
typedef void context_pack_fn(void *arg, struct buf *params, bool again);
/* As context_call, for a request that outlasts the event loop: when the connection breaks or the
 * event loop stops, says so on stderr, waits for it to come back (reconnect.h) and asks again.
 * pack may be NULL: no parameters. The callbacks of the link (on_notification, on_watch) stay,
 * and the latter is served meanwhile; what they queued before the break is lost. The daemon's
 * real errors end it. When the event loop does not come back in time: a negative errno with a
 * sentence, link.broken is set, and context_fail gives exit 4. */
int context_call_again(struct context *, const char *method, context_pack_fn *pack, void *arg,
                       struct reply **ret, struct err *err);

/* Writes the buf to stdout and frees it. Returns the exit status; problems have been said. */
int context_print(const struct context *, struct buf *);
/* The time, and what stdout is. */
struct view context_view(const struct context *);
/* "auto", "always", "never" and what the environment says, as yes or no. */
bool context_color(const char *option, bool tty, const char *no_color, const char *term);
