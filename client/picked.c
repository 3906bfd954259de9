/* SPDX-License-Identifier: MIT */
#include "client/picked.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "base/parse.h"
#include "client/ids.h"
#include "proto/pack.h"

void picked_done(struct picked *p)
{
    free(p->ids);
    *p = (struct picked){0};
}

/* At most so many tasks: UINT64_MAX where only the daemon knows. */
static uint64_t picked_most(const char *word)
{
    uint64_t first;
    uint64_t last;
    char copy[48];
    if (strcmp(word, "last") == 0 || parse_u64(word, &first) == 0)
        return 1;
    int n = snprintf(copy, sizeof(copy), "%s", word);
    char *dash = strchr(copy, '-');
    if (n < 0 || (size_t)n >= sizeof(copy) || !dash)
        return UINT64_MAX;
    *dash = '\0';
    if (parse_u64(copy, &first) < 0 || parse_u64(dash + 1, &last) < 0)
        return UINT64_MAX;
    return last - first < UINT64_MAX - 1 ? last - first + 1 : UINT64_MAX;
}

bool picked_few(char *const *words, size_t n)
{
    uint64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t tasks = picked_most(words[i]);
        if (tasks > PICKED_TASKS)
            return false;
        most += tasks;
    }
    return most <= PICKED_TASKS;
}

/* ---- the listing ---- */

struct picked_reading {
    struct picked *picked;
    const struct pages_query *query;
    picked_want_fn *want;
};

static int picked_add(struct picked *p, uint64_t id)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        uint64_t *ids = reallocarray(p->ids, cap, sizeof(*ids));
        if (!ids)
            return -ENOMEM;
        p->ids = ids;
        p->cap = cap;
    }
    p->ids[p->n++] = id;
    return 0;
}

static int picked_page(void *arg, const struct pages *page, struct err *err)
{
    struct picked_reading *r = arg;
    if (r->picked->n == 0 && pages_check_group(page, r->query->group, err) < 0)
        return err->code;
    for (size_t i = 0; i < page->n; i++) {
        if (r->want && !r->want(page->tasks[i]))
            continue;
        if (picked_add(r->picked, map_uint(page->tasks[i], "id", 0)) < 0)
            return err_set(err, -ENOMEM, "out of memory");
    }
    return 0;
}

static int picked_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x > *y ? -1 : *x < *y;
}

int picked_read(struct picked *p, struct context *c, const struct pages_query *query,
                picked_want_fn *want, struct err *err)
{
    struct picked_reading reading = {p, query, want};
    struct pages_query q = *query;
    if (q.nids == 1 && strcmp(q.ids[0], "all") == 0) {
        if (q.states && !(q.states & PAGES_LIVE))
            return err_set(err, -ENOENT, "nothing matches: \"all\" is every live task");
        q.ids = NULL; /* the same, without a bound on how many one request may name */
        q.nids = 0;
        q.outcomes = 0;
        q.states = q.states ? q.states & PAGES_LIVE : PAGES_LIVE;
    }
    q.most = UINT64_MAX;
    int r = pages_each(c, &q, picked_page, &reading, NULL, err);
    if (r < 0)
        return r;
    if (p->n == 0)
        return err_set(err, -ENOENT, "nothing matches");
    qsort(p->ids, p->n, sizeof(*p->ids), picked_compare);
    return 0;
}

/* ---- the requests ---- */

/* Takes the params; *ret_items: how many tasks the answer was about. */
static int picked_call(struct context *c, const struct picked_request *request,
                       struct buf *params, size_t *ret_items, struct err *err)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    int r = context_call(c, request->method, params, &reply, err);
    if (r < 0)
        return r;
    const msgpack_object *items = reply->result;
    *ret_items = items->type == MSGPACK_OBJECT_ARRAY ? items->via.array.size : 0;
    for (size_t i = 0; i < *ret_items; i++)
        request->item(request->arg, &items->via.array.ptr[i]);
    return 0;
}

int picked_ask_words(struct context *c, const struct picked_request *request,
                     char *const *words, size_t n, struct err *err)
{
    struct buf params = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&params);
    size_t items;
    ids_pack(&params, words, n);
    map.n++;
    if (request->pack)
        request->pack(request->arg, &params, &map);
    pack_map_end(&params, &map);
    int r = picked_call(c, request, &params, &items, err);
    return r == 0 && items == 0 ? err_set(err, -ENOENT, "nothing matches") : r;
}

/* A range of one: unlike the number it is no error where that task is gone. */
static void picked_pack_id(struct buf *b, uint64_t id)
{
    char text[48];
    (void)snprintf(text, sizeof(text), "%llu-%llu", (unsigned long long)id,
                   (unsigned long long)id);
    pack_text(b, text);
}

int picked_ask(const struct picked *p, struct context *c, const struct picked_request *request,
               bool oldest, struct err *err)
{
    int r = 0;
    for (size_t from = 0; from < p->n && r == 0; from += PICKED_TASKS) {
        size_t n = p->n - from < PICKED_TASKS ? p->n - from : PICKED_TASKS;
        struct buf params = BUF_INIT;
        struct pack_map_place map = pack_map_begin(&params);
        size_t items;
        pack_key(&params, &map, "ids");
        pack_array(&params, n);
        for (size_t i = from; i < from + n; i++)
            picked_pack_id(&params, p->ids[oldest ? p->n - 1 - i : i]);
        if (request->pack)
            request->pack(request->arg, &params, &map);
        pack_map_end(&params, &map);
        r = picked_call(c, request, &params, &items, err);
    }
    return r;
}
