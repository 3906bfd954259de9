/* SPDX-License-Identifier: MIT */
/*
 * past - tasks that changed since a time are listed, with those on the loop, which may have been
 * asked to end since; each gives up to four events; what is older is dropped, the rest sorted.
 */
#include "client/past.h"

#include <errno.h>
#include <stdlib.h>

#include "base/defs.h"

void past_done(struct past *p)
{
    pages_done(&p->pages);
    free(p->events);
    *p = (struct past){.pages = {NULL, 0, NULL, 0}};
}

/* In order of time; of the same time: of id, then as a task lives. */
static int past_compare(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

static bool past_same(const struct event *x, const struct event *y)
{
    return x->id == y->id && x->kind == y->kind;
}

static int past_derive(struct past *p, uint64_t since_ns)
{
    p->events = calloc(p->pages.n * EVENT_PAST_MAX + 1, sizeof(*p->events));
    if (!p->events)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < p->pages.n; i++) {
        struct event all[EVENT_PAST_MAX];
        size_t found = event_past(all, p->pages.tasks[i]);
        for (size_t k = 0; k < found; k++) {
            if (all[k].time_ns >= since_ns)
                p->events[n++] = all[k];
        }
    }
    qsort(p->events, n, sizeof(*p->events), past_compare);
    p->n = 0;
    for (size_t i = 0; i < n; i++) { /* a task may have come in both listings */
        if (p->n == 0 || !past_same(&p->events[p->n - 1], &p->events[i]))
            p->events[p->n++] = p->events[i];
    }
    return 0;
}

/* Adds the tasks on the loop; their states are newer than those of the first listing. */
static int past_read_live(struct past *p, struct context *c, const struct past_query *q,
                          struct err *err)
{
    struct pages_query query = {.states = PAGES_RUNNING | PAGES_SUSPENDED,
                                .group = q->group,
                                .most = p->pages.n + PAST_LIVE};
    uint64_t next;
    return pages_read(&p->pages, c, &query, &next, err);
}

int past_read(struct past *p, struct context *c, const struct past_query *q, uint64_t since_ns,
              uint64_t most_tasks, struct err *err)
{
    struct pages_query query = {.ids = q->ids,
                                .nids = q->nids,
                                .group = q->group,
                                .since_ns = q->ids ? 0 : since_ns,
                                .most = most_tasks};
    uint64_t next;
    past_done(p);
    int r = pages_read(&p->pages, c, &query, &next, err);
    if (r < 0)
        return r;
    r = pages_check_group(&p->pages, q->group, err);
    if (r < 0)
        return r;
    if (since_ns && !q->ids)
        r = past_read_live(p, c, q, err);
    if (r == 0 && past_derive(p, since_ns) < 0)
        r = err_set(err, -ENOMEM, "out of memory");
    return r;
}

int past_newest(struct past *p, struct context *c, const struct past_query *q, uint64_t events,
                uint64_t now_ns, struct err *err)
{
    static const unsigned back_s[] = {10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400};
    int r = 0;
    for (size_t i = 0; i < ARRAY_SIZE(back_s) && r == 0 && !q->ids; i++) {
        uint64_t back = back_s[i] * NSEC_PER_SEC;
        r = past_read(p, c, q, back < now_ns ? now_ns - back : 1, PAST_TASKS, err);
        if (r < 0 || p->n >= events || p->pages.n >= PAST_TASKS)
            return r;
    }
    return r == 0 ? past_read(p, c, q, 0, PAST_TASKS, err) : r;
}
