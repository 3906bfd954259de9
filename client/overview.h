/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * overview - the first view of status: every live task, the newest finished ones, and how many
 * ended today.
 *
 * Its requests go out at once: what is on the loop, what waits to be, what ended last, and, for
 * people, what ended today. Reading and rendering are apart, so that --watch can move its clock
 * without asking again.
 */
#include "client/pages.h"

enum {
    OVERVIEW_LIVE_ROWS = 500,     /* for people: of those that run or are suspended */
    OVERVIEW_PENDING_ROWS = 1000, /* likewise: they fold into few lines */
    OVERVIEW_DONE_ROWS = 20,      /* unless -n says otherwise */
};

struct overview_query {
    const char *group;  /* borrowed; NULL: all */
    uint64_t done_rows; /* of those DONE, the newest */
    bool people;        /* for a table: bounded, and today's are counted */
    bool wide;
};

struct overview {
    struct overview_query query;
    struct pages pages; /* owned: the rows */
    size_t live;        /* rows that run or are suspended */
    size_t pending;     /* rows behind them */
    size_t done;        /* rows behind those */
    struct reply
        *today; /* owned: what ended today, as far as one page holds it; NULL: unknown */
    uint64_t midnight_ns; /* when today began */
};
void overview_done(struct overview *);

/* Connects, asks and reads; what it held before is freed. */
int overview_read(struct overview *, struct context *, const struct overview_query *,
                  const struct view *, struct err *);
/* For people: header, table, what is not shown. hello: the result of that method. */
void overview_render(struct buf *, const struct overview *, const msgpack_object *hello,
                     const struct view *);
