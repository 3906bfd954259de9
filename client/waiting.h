/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * waiting - asyncio.wait for a set of tasks of any size, over restarts of the event loop.
 *
 * The set is asked for in parts that fit a message each way, several at once. A part is
 * answered when its tasks are DONE (or the first, or the time is over); what an answer has no
 * room for is asked for again. When the event loop goes away, the parts that were not answered
 * are asked again, with what is left of the time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/context.h"
#include "client/taskset.h"

/* A finished task; each comes once. */
typedef void waiting_done_fn(void *arg, const msgpack_object *task);

/* A part of the set. */
struct waiting_part {
    struct taskset set; /* owned: those that have not come */
    uint32_t msgid;     /* 0: not under way */
    bool rest;          /* they are DONE: the answer had no room for them */
};

struct waiting {
    struct context *c;          /* borrowed; its deadline is the timeout */
    bool first;                 /* until the first one is DONE */
    waiting_done_fn *done;      /* in the order of the answers: ended.h sorts */
    void *arg;                  /* borrowed */
    struct waiting_part *parts; /* owned */
    size_t n;
    size_t open;            /* parts that have not been answered in full */
    size_t under_way;       /* parts that have been asked for and not answered */
    uint64_t came;          /* tasks that were given to done */
    struct taskset pending; /* owned: when it is over, those that are not DONE */
    bool timed_out;
};
#define WAITING_INIT                                                                           \
    {                                                                                          \
        .c = NULL                                                                              \
    }

/* Waits; set is emptied. 0 or a negative errno with a sentence; that the time was over is no
 * error. */
int waiting_run(struct waiting *, struct taskset *set, struct err *);
void waiting_done(struct waiting *);
