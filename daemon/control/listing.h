/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * listing - one page of tasks, live and finished, by id.
 */
#include "daemon/control/query.h"

/* A page: what is asked for, and what was found. */
struct listing {
    const struct query *query; /* borrowed */
    uint64_t from;             /* the id to go on from, exclusive; 0: from the first */
    uint32_t limit;            /* tasks, at least 1 */
    bool rising;               /* from the oldest; only for a query without DONE */
    struct buf tasks;          /* result, owned: `count` maps */
    uint32_t count;
    uint64_t next; /* where the next page begins; 0: there is none */
};

/* An answer has room for no more. */
bool listing_full(const struct listing *);
/* A coroutine object that fills the page (borrowed until it returns). NULL without memory. */
struct aio_co *listing_page(struct call *, struct listing *);
