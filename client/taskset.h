/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * taskset - a set of task ids as ranges: 100 000 live tasks are seldom more than a few, and a
 * message holds LIMIT_MESSAGE_ITEMS objects.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct taskset_range {
    uint64_t first;
    uint64_t last; /* inclusive */
    bool named;    /* each of them must exist; else those that do are meant */
};

struct taskset {
    struct taskset_range *ranges; /* owned; sorted and apart once taskset_settle was called */
    size_t n;
    size_t cap;
    bool failed; /* memory was short: some ids are missing */
};
#define TASKSET_INIT                                                                           \
    {                                                                                          \
        NULL, 0, 0, false                                                                      \
    }

void taskset_done(struct taskset *);
/* Adds first to last, first <= last. In rising order it costs nothing to join them. */
void taskset_add(struct taskset *, uint64_t first, uint64_t last, bool named);
/* Sorts, joins, and drops what is there twice; one that was named once stays named. */
void taskset_settle(struct taskset *);
/* Drops the ids above newest. */
void taskset_clip(struct taskset *, uint64_t newest);
uint64_t taskset_count(const struct taskset *); /* of ids; UINT64_MAX at most */
/* Moves the first n ids into another set, which is empty. */
void taskset_split(struct taskset *from, uint64_t n, struct taskset *to);
/* Drops the first n ids. */
void taskset_drop(struct taskset *, uint64_t n);
/* Packs the first n ids as an array of selectors as the methods take them: 7 for a named one,
 * "3-9". */
void taskset_pack(struct buf *, const struct taskset *, uint64_t n);
