/* SPDX-License-Identifier: MIT */
#include "client/overview.h"

#include <errno.h>
#include <stdlib.h>

#include "base/defs.h"
#include "client/header.h"
#include "client/table.h"
#include "client/when.h"

void overview_done(struct overview *o)
{
    pages_done(&o->pages);
    o->today = reply_free(o->today);
}

static int overview_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* A task that moved between two of the requests came twice: its later row is dropped. *ret: how
 * many rows are left behind `from`. */
static int overview_drop_twice(struct pages *pages, size_t from, size_t *ret)
{
    _cleanup_(defs_freep) uint64_t *before = calloc(from + 1, sizeof(*before));
    size_t kept = from;
    if (!before)
        return -ENOMEM;
    for (size_t i = 0; i < from; i++)
        before[i] = map_uint(pages->tasks[i], "id", 0);
    qsort(before, from, sizeof(*before), overview_compare);
    for (size_t i = from; i < pages->n; i++) {
        uint64_t id = map_uint(pages->tasks[i], "id", 0);
        if (!bsearch(&id, before, from, sizeof(*before), overview_compare))
            pages->tasks[kept++] = pages->tasks[i];
    }
    pages->n = kept;
    *ret = kept - from;
    return 0;
}

enum overview_part { PART_LIVE, PART_PENDING, PART_DONE, PART_TODAY, PARTS };

static void overview_queries(const struct overview *o, struct pages_query ret[PARTS])
{
    const struct overview_query *q = &o->query;
    ret[PART_LIVE] = (struct pages_query){.states = PAGES_RUNNING | PAGES_SUSPENDED,
                                          .group = q->group,
                                          .ascending = true,
                                          .most = q->people ? OVERVIEW_LIVE_ROWS : UINT64_MAX};
    ret[PART_PENDING] =
        (struct pages_query){.states = PAGES_PENDING,
                             .group = q->group,
                             .ascending = true,
                             .most = q->people ? OVERVIEW_PENDING_ROWS : UINT64_MAX};
    ret[PART_DONE] =
        (struct pages_query){.states = PAGES_DONE, .group = q->group, .most = q->done_rows};
    ret[PART_TODAY] = (struct pages_query){
        .states = PAGES_DONE, .since_ns = o->midnight_ns, .most = PAGES_ROWS};
}

static int overview_ask(struct context *c, const struct pages_query *q, uint64_t from,
                        uint64_t missing, uint32_t *ret_msgid, struct err *err)
{
    return pages_request(c, q, from, missing < PAGES_ROWS ? missing : PAGES_ROWS, ret_msgid,
                         err);
}

/* Takes the first page of a part, then asks for those behind it. */
static int overview_take(struct overview *o, struct context *c, const struct pages_query *q,
                         uint32_t msgid, size_t *ret_rows, struct err *err)
{
    size_t before = o->pages.n;
    uint64_t next = 0;
    int r = pages_take(&o->pages, c, msgid, &next, err);
    while (r == 0 && next && o->pages.n - before < q->most) {
        r = overview_ask(c, q, next, q->most - (o->pages.n - before), &msgid, err);
        if (r == 0)
            r = pages_take(&o->pages, c, msgid, &next, err);
    }
    if (r == 0 && overview_drop_twice(&o->pages, before, ret_rows) < 0)
        r = err_set(err, -ENOMEM, "out of memory");
    return r;
}

/* Counting is an extra: an aiod that cannot do it is no reason to show nothing. */
static int overview_take_today(struct overview *o, struct context *c, uint32_t msgid,
                               struct err *err)
{
    struct err ignored = ERR_INIT;
    int r = context_wait(c, msgid, &o->today, &ignored);
    if (r == 0 || !c->link.broken)
        return 0;
    *err = ignored;
    return r;
}

int overview_read(struct overview *o, struct context *c, const struct overview_query *query,
                  const struct view *view, struct err *err)
{
    struct pages_query queries[PARTS];
    uint32_t msgids[PARTS] = {0};
    overview_done(o);
    *o = (struct overview){.query = *query, .midnight_ns = when_midnight(view)};
    overview_queries(o, queries);
    bool asked[PARTS] = {true, true, query->done_rows > 0, query->people};
    int r = context_connect(c, err);
    for (int i = 0; i < PARTS && r == 0; i++) {
        if (asked[i])
            r = overview_ask(c, &queries[i], 0, queries[i].most, &msgids[i], err);
    }
    size_t *counts[] = {&o->live, &o->pending, &o->done};
    for (int i = 0; i < PART_TODAY && r == 0; i++) {
        if (asked[i])
            r = overview_take(o, c, &queries[i], msgids[i], counts[i], err);
    }
    return r == 0 && query->people ? overview_take_today(o, c, msgids[PART_TODAY], err) : r;
}

/* How today's ended; false: nobody knows all of them. */
static bool overview_count_today(const struct overview *o, struct header_today *ret)
{
    const msgpack_object *tasks = o->today ? map_get(o->today->result, "tasks") : NULL;
    if (!tasks || tasks->type != MSGPACK_OBJECT_ARRAY || map_uint(o->today->result, "next", 0))
        return false;
    for (uint32_t i = 0; i < tasks->via.array.size; i++) {
        struct bytes outcome = map_text(&tasks->via.array.ptr[i], "outcome");
        ret->ok += bytes_equal(outcome, "ok");
        ret->failed += bytes_equal(outcome, "failed");
        ret->cancelled += bytes_equal(outcome, "cancelled");
    }
    for (size_t i = o->pages.n - o->done; i < o->pages.n; i++)
        ret->shown += when_read(map_text(o->pages.tasks[i], "ended")) >= o->midnight_ns;
    return true;
}

void overview_render(struct buf *b, const struct overview *o, const msgpack_object *hello,
                     const struct view *view)
{
    const msgpack_object *status = o->pages.replies[0]->result;
    struct header_today today = {0};
    bool known = overview_count_today(o, &today);
    struct table_input input = {
        .tasks = o->pages.tasks,
        .n = o->pages.n,
        .groups = map_get(status, "groups"),
        .wide = o->query.wide,
    };
    struct header_shown shown = {o->live, o->pending, o->done};
    header_render(b, hello, status, known ? &today : NULL, view);
    buf_puts(b, o->pages.n > 0 ? "\n" : "");
    if (table_render(b, &input, view) < 0)
        b->failed = true;
    if (!o->query.group)
        header_footer(b, map_get(status, "counts"), known ? &today : NULL, &shown);
}
