/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { TABLE_FIRST_CAP = 64, TABLE_HOLES_MIN = 64 };

void table_done(struct table *t)
{
    free(t->entries);
    *t = (struct table){0};
}

int table_reserve(struct table *t)
{
    if (t->len < t->cap)
        return 0;
    size_t cap = t->cap ? t->cap * 2 : TABLE_FIRST_CAP;
    struct table_entry *entries = realloc(t->entries, cap * sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    t->entries = entries;
    t->cap = cap;
    return 0;
}

void table_add(struct table *t, uint64_t id, struct task *task)
{
    assert(t->len < t->cap && (t->len == 0 || t->entries[t->len - 1].id < id));
    t->entries[t->len++] = (struct table_entry){id, task};
    t->live++;
}

size_t table_lower_bound(const struct table *t, uint64_t id)
{
    size_t low = 0, high = t->len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (t->entries[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct task *table_find(const struct table *t, uint64_t id)
{
    size_t at = table_lower_bound(t, id);
    return at < t->len && t->entries[at].id == id ? t->entries[at].task : NULL;
}

/* The holes at the end go first, so that the newest entry is always a task. */
static void table_close_holes(struct table *t)
{
    while (t->len > 0 && !t->entries[t->len - 1].task)
        t->len--;
    size_t holes = t->len - t->live;
    if (holes < TABLE_HOLES_MIN || holes < t->len / 2)
        return;
    size_t to = 0;
    for (size_t from = 0; from < t->len; from++)
        if (t->entries[from].task)
            t->entries[to++] = t->entries[from];
    t->len = to;
}

void table_remove(struct table *t, uint64_t id)
{
    size_t at = table_lower_bound(t, id);
    if (at == t->len || t->entries[at].id != id || !t->entries[at].task)
        return;
    t->entries[at].task = NULL;
    t->live--;
    table_close_holes(t);
}
