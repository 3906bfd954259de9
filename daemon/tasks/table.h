/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * table - the live tasks by id.
 *
 * Ids only ever grow, so the table is a sorted array: adding appends, finding is a binary
 * search, and listing from any id on is a walk. A removed task leaves a hole that is closed
 * when half of the array is holes. Borrows the tasks.
 */
#include <stddef.h>
#include <stdint.h>

struct task;

struct table_entry {
    uint64_t id;
    struct task *task; /* borrowed; NULL: a hole */
};

struct table {
    struct table_entry *entries; /* owned, by rising id */
    size_t len;                  /* with the holes */
    size_t cap;
    size_t live; /* without them */
};

void table_done(struct table *);
/* Makes room for one more, so that the next table_add cannot fail. 0 or -ENOMEM. */
int table_reserve(struct table *);
/* Adds a task with an id above all others, after table_reserve. */
void table_add(struct table *, uint64_t id, struct task *);
void table_remove(struct table *, uint64_t id);
struct task *table_find(const struct table *, uint64_t id); /* NULL: none */
/* The place of the first entry with an id >= id (len when there is none); entries[place].task
 * may be NULL. */
size_t table_lower_bound(const struct table *, uint64_t id);
