/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * past - the events that the times of tasks tell: when they were submitted, started, asked to end,
 * and when they ended, in order.
 */
#include "client/event.h"
#include "client/pages.h"

enum {
    PAST_TASKS = 5000, /* of a search for the newest events, at most */
    PAST_LIVE = 1000,  /* that run or are suspended: they may have been asked to end */
};

/* Which tasks; texts are borrowed. */
struct past_query {
    char *const *ids; /* NULL: all */
    size_t nids;
    const char *group; /* NULL: all */
};

struct past {
    struct pages pages;   /* owned: the tasks */
    struct event *events; /* owned; their texts are the tasks' */
    size_t n;
};
void past_done(struct past *);

/* All events from since_ns (since 1970; 0: all) on; of at most so many tasks, the newest. What
 * it held is freed. 0, or a negative errno with a sentence: -ENOENT for an unknown group. */
int past_read(struct past *, struct context *, const struct past_query *, uint64_t since_ns,
              uint64_t most_tasks, struct err *);
/* The newest events, so many at least if there are; looks back further and further. */
int past_newest(struct past *, struct context *, const struct past_query *, uint64_t events,
                uint64_t now_ns, struct err *);
