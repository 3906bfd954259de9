/* SPDX-License-Identifier: MIT */
#include "client/taskset.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/pack.h"

void taskset_done(struct taskset *s)
{
    free(s->ranges);
    *s = (struct taskset)TASKSET_INIT;
}

void taskset_add(struct taskset *s, uint64_t first, uint64_t last, bool named)
{
    struct taskset_range *end = s->n > 0 ? &s->ranges[s->n - 1] : NULL;
    if (end && end->named == named && first > 0 && end->last == first - 1) {
        end->last = last;
        return;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 8;
        struct taskset_range *ranges = reallocarray(s->ranges, cap, sizeof(*ranges));
        if (!ranges) {
            s->failed = true;
            return;
        }
        s->ranges = ranges;
        s->cap = cap;
    }
    s->ranges[s->n++] = (struct taskset_range){first, last, named};
}

/* By the first id; a named one before another that begins with it. */
static int taskset_compare(const void *a, const void *b)
{
    const struct taskset_range *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return y->named - x->named;
}

/* The sorted ranges with this flag, joined, appended to ret. */
static void taskset_join(const struct taskset *s, bool named, struct taskset *ret)
{
    struct taskset_range last = {0};
    bool any = false;
    for (size_t i = 0; i < s->n; i++) {
        const struct taskset_range *r = &s->ranges[i];
        if (r->named != named)
            continue;
        if (any && r->first <= last.last) {
            last.last = r->last > last.last ? r->last : last.last;
            continue;
        }
        if (any)
            taskset_add(ret, last.first, last.last, named);
        last = *r;
        any = true;
    }
    if (any)
        taskset_add(ret, last.first, last.last, named);
}

/* Appends the parts of r that no range of named holds; both are sorted, *at is where to begin
 * to look. */
static void taskset_subtract(struct taskset_range r, const struct taskset *named, size_t *at,
                             struct taskset *ret)
{
    while (*at < named->n && named->ranges[*at].last < r.first)
        (*at)++;
    for (size_t i = *at; i < named->n && named->ranges[i].first <= r.last; i++) {
        const struct taskset_range *hole = &named->ranges[i];
        if (hole->first > r.first)
            taskset_add(ret, r.first, hole->first - 1, false);
        if (hole->last >= r.last)
            return;
        r.first = hole->last + 1;
    }
    taskset_add(ret, r.first, r.last, false);
}

void taskset_settle(struct taskset *s)
{
    struct taskset named = TASKSET_INIT, others = TASKSET_INIT, all = TASKSET_INIT;
    size_t at = 0;
    if (s->n > 0)
        qsort(s->ranges, s->n, sizeof(*s->ranges), taskset_compare);
    taskset_join(s, true, &named);
    taskset_join(s, false, &others);
    for (size_t i = 0; i < named.n; i++)
        taskset_add(&all, named.ranges[i].first, named.ranges[i].last, true);
    for (size_t i = 0; i < others.n; i++)
        taskset_subtract(others.ranges[i], &named, &at, &all);
    if (all.n > 0)
        qsort(all.ranges, all.n, sizeof(*all.ranges), taskset_compare);
    all.failed = s->failed || named.failed || others.failed || all.failed;
    taskset_done(s);
    taskset_done(&named);
    taskset_done(&others);
    *s = all;
}

void taskset_clip(struct taskset *s, uint64_t newest)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct taskset_range r = s->ranges[i];
        if (!r.named && r.first > newest)
            continue;
        if (!r.named && r.last > newest)
            r.last = newest;
        s->ranges[kept++] = r;
    }
    s->n = kept;
}

uint64_t taskset_count(const struct taskset *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        uint64_t more = s->ranges[i].last - s->ranges[i].first;
        if (more >= UINT64_MAX - n)
            return UINT64_MAX;
        n += more + 1;
    }
    return n;
}

/* How many of the first n ids are in r, of which n is what is left. */
static uint64_t taskset_share(const struct taskset_range *r, uint64_t n)
{
    uint64_t more = r->last - r->first;
    return more >= n ? n : more + 1;
}

void taskset_drop(struct taskset *s, uint64_t n)
{
    size_t i = 0;
    for (; i < s->n && n > 0; i++) {
        struct taskset_range *r = &s->ranges[i];
        uint64_t share = taskset_share(r, n);
        n -= share;
        if (share <= r->last - r->first) {
            r->first += share;
            break;
        }
    }
    s->n -= i;
    for (size_t k = 0; i > 0 && k < s->n; k++)
        s->ranges[k] = s->ranges[k + i];
}

void taskset_split(struct taskset *from, uint64_t n, struct taskset *to)
{
    uint64_t left = n;
    for (size_t i = 0; i < from->n && left > 0; i++) {
        const struct taskset_range *r = &from->ranges[i];
        uint64_t share = taskset_share(r, left);
        taskset_add(to, r->first, r->first + share - 1, r->named);
        left -= share;
    }
    taskset_drop(from, n);
}

/* Objects that the first n ids are packed as. */
static size_t taskset_selectors(const struct taskset *s, uint64_t n)
{
    size_t objects = 0;
    for (size_t i = 0; i < s->n && n > 0; i++) {
        uint64_t share = taskset_share(&s->ranges[i], n);
        objects += s->ranges[i].named ? (size_t)share : 1;
        n -= share;
    }
    return objects;
}

void taskset_pack(struct buf *b, const struct taskset *s, uint64_t n)
{
    pack_array(b, taskset_selectors(s, n));
    for (size_t i = 0; i < s->n && n > 0; i++) {
        const struct taskset_range *r = &s->ranges[i];
        uint64_t share = taskset_share(r, n);
        char text[48];
        n -= share;
        for (uint64_t k = 0; r->named && k < share; k++)
            pack_uint(b, r->first + k);
        if (r->named)
            continue;
        (void)snprintf(text, sizeof(text), "%llu-%llu", (unsigned long long)r->first,
                       (unsigned long long)(r->first + share - 1));
        pack_text(b, text);
    }
    if (s->failed)
        b->failed = true;
}
