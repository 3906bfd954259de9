/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * children - every attempt that nobody has released yet, by token and in order of arrival.
 *
 * One is there from its SPAWN until its RELEASE: while its process runs, then as a process that
 * has ended and is not reaped (so that neither its pid nor its group is used again), or without
 * any process: it could not be started, or a spawner before this one left its status behind.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/heap.h"
#include "base/list.h"
#include "daemon/spawner/record.h"
#include "daemon/spawner/slot.h"
#include "daemon/spawner/source.h"

struct child {
    struct source source; /* SOURCE_CHILD, of the pidfd */
    struct list all;      /* in children.all */
    struct list bucket;   /* in the table by token */
    struct list owing;    /* in the outbox while owed is not 0 */
    uint8_t token[RECORD_TOKEN_BYTES];
    uint8_t instance[RECORD_UUID_BYTES]; /* whose it is */
    struct record started;               /* type 0: there was never a process */
    struct record end;                   /* EXITED or FAILED; type 0 while it runs */
    struct slot *slot;                   /* borrowed from the slots while it runs */
    struct heap_node grace;              /* queued while kill_at counts; see grace.h */
    struct list holding;                 /* in the grace while held */
    uint64_t kill_at;                    /* clock_awake */
    pid_t pid;                           /* 0: no process */
    int pidfd;                           /* owned; -1: no process */
    unsigned owed;                       /* records to be sent, see outbox.h */
    bool told;                           /* STARTED was sent on this connection */
    bool watched;                        /* its pidfd is in the epoll set */
    bool released;                       /* forget it when it ends, or need not be held */
    bool held;                           /* it has ended and is there for its group alone */
    bool peopled;                        /* somebody in that group lives */
    bool left;                           /* by a spawner before this one */
};

struct children {
    struct list all;
    struct list *buckets; /* owned array */
    size_t nbuckets;      /* a power of two */
    size_t count;
    size_t running; /* of these, with a process that has not ended */
    size_t left;    /* of these, left by a spawner before this one */
};

int children_init(struct children *c); /* 0 or -ENOMEM */
void children_done(struct children *c);
struct child *children_find(const struct children *c, const uint8_t token[RECORD_TOKEN_BYTES]);
/* A new one without a process; the token must not be there yet. NULL without memory. */
struct child *children_add(struct children *c, const uint8_t token[RECORD_TOKEN_BYTES],
                           const uint8_t instance[RECORD_UUID_BYTES]);
/* Reaps its process, which must have ended, and frees it. */
void children_remove(struct children *c, struct child *child);

static inline bool child_runs(const struct child *child)
{
    return child->pidfd >= 0 && child->end.type == 0;
}

/* It could not be started: fills `end`. */
void child_set_failed(struct child *child, enum spawn_step step, int err);
/* To its process group; does nothing where there is no process. */
void child_signal(const struct child *child, int signo);
/* Reads the outcome of a process that may have ended, without reaping it, and fills `end`.
 * False: it still runs. */
bool child_settle(struct child *child);
