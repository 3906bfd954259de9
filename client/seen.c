/* SPDX-License-Identifier: MIT */
#include "client/seen.h"

#include <errno.h>
#include <stdlib.h>

enum { SEEN_CAP_MIN = 256 };

void seen_done(struct seen *s)
{
    free(s->young.tasks);
    free(s->old.tasks);
    *s = (struct seen){.newest_ns = s->newest_ns};
}

/* The place of a task, or the free one where it would be. There is always a free one. */
static struct seen_task *seen_place(const struct seen_generation *g, uint64_t id)
{
    size_t at = (size_t)(id * UINT64_C(0x9e3779b97f4a7c15)) & (g->cap - 1);
    while (g->tasks[at].id && g->tasks[at].id != id)
        at = (at + 1) & (g->cap - 1);
    return &g->tasks[at];
}

static struct seen_task seen_find(const struct seen_generation *g, uint64_t id)
{
    return g->cap ? *seen_place(g, id) : (struct seen_task){0};
}

static int seen_grow(struct seen_generation *g)
{
    struct seen_generation more = *g;
    more.cap = g->cap ? g->cap * 2 : SEEN_CAP_MIN;
    more.tasks = calloc(more.cap, sizeof(*more.tasks));
    if (!more.tasks)
        return -ENOMEM;
    for (size_t i = 0; i < g->cap; i++) {
        if (g->tasks[i].id)
            *seen_place(&more, g->tasks[i].id) = g->tasks[i];
    }
    free(g->tasks);
    *g = more;
    return 0;
}

static void seen_turn(struct seen *s, uint64_t now_ns)
{
    struct seen_generation *young = &s->young;
    bool full = young->n >= SEEN_MAX;
    if (!full && (young->n == 0 || now_ns < young->first_ns + SEEN_NS))
        return;
    free(s->old.tasks);
    s->old = *young;
    *young = (struct seen_generation){0};
}

static int seen_put(struct seen *s, const struct event *e, uint32_t kinds, uint32_t attempt)
{
    struct seen_generation *g = &s->young;
    seen_turn(s, e->time_ns);
    if (g->n * 2 >= g->cap && seen_grow(g) < 0)
        return -ENOMEM;
    struct seen_task *place = seen_place(g, e->id);
    if (!place->id) {
        if (g->n++ == 0)
            g->first_ns = e->time_ns;
        *place = (struct seen_task){.id = e->id};
    }
    place->kinds |= kinds;
    place->attempt = attempt;
    return 0;
}

int seen_add(struct seen *s, const struct event *e)
{
    if (e->time_ns > s->newest_ns && e->kind != EVENT_LOST)
        s->newest_ns = e->time_ns; /* what was lost came before */
    if (!e->id || e->kind == EVENT_REMOVED)
        return 1;
    struct seen_task young = seen_find(&s->young, e->id);
    struct seen_task old = seen_find(&s->old, e->id);
    uint32_t kinds = young.kinds | old.kinds;
    uint32_t attempt = young.id ? young.attempt : old.attempt;
    uint32_t started = (uint32_t)map_uint(e->task, "attempt", 0);
    if (kinds & 1U << EVENT_ENDED)
        return 0;
    if (e->kind == EVENT_STARTED && kinds & 1U << EVENT_STARTED && started == attempt)
        return 0;
    bool once = e->kind == EVENT_NEW || e->kind == EVENT_CANCEL;
    if (once && kinds & 1U << e->kind)
        return 0;
    if (e->kind == EVENT_STARTED)
        attempt = started;
    return seen_put(s, e, kinds | 1U << e->kind, attempt) < 0 ? -ENOMEM : 1;
}

uint64_t seen_since(const struct seen *s)
{
    return s->old.n ? s->old.first_ns : 0;
}
