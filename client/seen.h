/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * seen - which events have been told lately, so that none is told twice when the times of tasks
 * fill a gap.
 *
 * Remembers at least the last SEEN_NS of events, in two generations: the older one is forgotten
 * when the younger one is that long. What is older than seen_since is not to be filled in.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/event.h"

#define SEEN_NS (10 * NSEC_PER_SEC)
enum { SEEN_MAX = 1 << 18 }; /* tasks in a generation, whatever its time: 6 MiB */

struct seen_task {
    uint64_t id; /* 0: the place is free */
    uint32_t kinds;
    uint32_t attempt; /* whose start was seen */
};

struct seen_generation {
    struct seen_task *tasks; /* owned: a hash table, linear probing */
    size_t cap;              /* a power of two */
    size_t n;
    uint64_t first_ns; /* the time of its first event */
};

struct seen {
    struct seen_generation young;
    struct seen_generation old;
    uint64_t newest_ns; /* of all events */
};
void seen_done(struct seen *);

/* Whether an event is new; it is remembered. Of a task that was told to have ended nothing but
 * its removal is new. -ENOMEM. */
int seen_add(struct seen *, const struct event *);
/* From when on all is remembered that was told; 0: from the beginning. */
uint64_t seen_since(const struct seen *);
