/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * link - a blocking connection to an event loop.
 *
 * Requests are queued by link_request, leave with the first link_wait, and are told apart by
 * their msgid: many can be under way, and each is waited for in the order the caller likes.
 * Replies to others that come meanwhile are kept; notifications go to a callback. One more
 * descriptor (a signalfd) can be watched while waiting. Once the connection has failed,
 * `broken` is set and every call fails, until link_reopen makes a new one: reconnect.h does, for
 * commands that outlast the daemon.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/list.h"
#include "proto/rpc.h"
#include "proto/scan.h"
#include "proto/unpack.h"

enum { LINK_READ_BYTES = 64 * 1024 }; /* in one system call */

/* A response that has come; owned by whom link_wait gives it to. */
struct reply {
    struct list in_link;
    uint32_t msgid;
    uint8_t *bytes; /* owned: the message; the objects point into it */
    struct unpacked unpacked;
    const msgpack_object *result; /* borrowed from unpacked */
    const msgpack_object *error;  /* likewise; nil: none */
};
struct reply *reply_free(struct reply *); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(struct reply, reply_free)

/* Both return 0, or a negative errno that ends link_wait, with a sentence in err. They may call
 * link_request, and must not wait on the same link. */
typedef int link_notify_fn(void *arg, const struct rpc_message *, struct err *err);
typedef int link_watch_fn(void *arg, struct err *err);

struct link {
    int fd;         /* owned; -1: not connected */
    char *name;     /* owned: what sentences call the other side, the socket's path */
    bool broken;    /* no daemon answers here (any more) */
    bool own;       /* no other user (but root) may listen there: it would get what we send */
    bool lost;      /* broken because the daemon went away: another one may come */
    struct buf in;  /* received and not handled */
    size_t scanned; /* bytes of `in` that the scanner has seen */
    struct scan scan;
    struct buf out;                  /* requests that have not been sent */
    uint32_t last_msgid;             /* 0 is the daemon's, for errors of the connection */
    struct list replies;             /* owned: responses that nobody has waited for yet */
    link_notify_fn *on_notification; /* may be NULL */
    void *notification_arg;          /* borrowed */
    int watch_fd;                    /* borrowed; -1: none */
    link_watch_fn *on_watch;         /* when watch_fd is readable */
    void *watch_arg;                 /* borrowed */
    uint64_t deadline_ns;            /* link_wait breaks the connection then (clock_awake());
                                        0: it waits for ever */
};
#define LINK_INIT                                                                              \
    {                                                                                          \
        .fd = -1, .watch_fd = -1                                                               \
    }

/* Takes a connected socket. 0 or -ENOMEM (the socket is then closed). */
int link_init(struct link *, int fd_taken, const char *name);
/* Connects to the control socket at path; the callbacks stay. 0, what on_watch returned, or a
 * negative errno with a sentence; broken is then set. */
int link_open(struct link *, const char *path, struct err *);
/* The same once more to where it was, and without waiting for a place in a full queue (-EAGAIN).
 * What was queued, under way or received is forgotten. */
int link_reopen(struct link *, struct err *);
void link_done(struct link *); /* closes; works on LINK_INIT and twice */

/* Queues a request; params is one packed map, NULL the empty one. 0, -EMSGSIZE or -ENOMEM. */
int link_request(struct link *, const char *method, const struct buf *params,
                 uint32_t *ret_msgid, struct err *);
/* Queues `hello`, which makes the errors of this connection maps. */
int link_hello(struct link *, uint32_t *ret_msgid, struct err *);
/* Sends what is queued and waits for one response. 0 and *ret (may be NULL: not wanted); the
 * daemon's error as the negative errno that proto_error_exit knows; or a failure of the
 * connection (broken is set). */
int link_wait(struct link *, uint32_t msgid, struct reply **ret, struct err *);
/* The same for whichever response comes first: *ret_msgid tells which it was, also when it is
 * an error; 0: the failure is none of a request. */
int link_wait_any(struct link *, uint32_t *ret_msgid, struct reply **ret, struct err *);
/* Sends what is queued and waits for anything to come: 0. 1: nothing did for so long. */
int link_idle(struct link *, uint64_t ns, struct err *);
/* Passes so much time without a connection; the descriptor that is watched is served and ends
 * it early. 0, or what its callback returned. */
int link_pause(struct link *, uint64_t ns, struct err *);
