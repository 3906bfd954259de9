/* SPDX-License-Identifier: MIT */
#include "client/pages.h"

#include <errno.h>
#include <stdlib.h>

#include "client/ids.h"
#include "proto/pack.h"

void pages_done(struct pages *p)
{
    for (size_t i = 0; i < p->nreplies; i++)
        (void)reply_free(p->replies[i]);
    free(p->replies);
    free(p->tasks);
    *p = (struct pages){NULL, 0, NULL, 0};
}

/* The words of the bits that are set. */
static void pages_pack_bits(struct buf *b, unsigned bits, const char *const *words)
{
    pack_array(b, (size_t)__builtin_popcount(bits));
    for (size_t i = 0; bits >> i; i++) {
        if (bits >> i & 1)
            pack_text(b, words[i]);
    }
}

static void pages_pack_filters(struct buf *b, struct pack_map_place *map,
                               const struct pages_query *q)
{
    static const char *const states[] = {"PENDING", "RUNNING", "SUSPENDED", "DONE"};
    static const char *const outcomes[] = {"ok", "failed", "cancelled"};
    if (q->states) {
        pack_key(b, map, "states");
        pages_pack_bits(b, q->states, states);
    }
    if (q->outcomes) {
        pack_key(b, map, "outcomes");
        pages_pack_bits(b, q->outcomes, outcomes);
    }
    if (q->group) {
        pack_key(b, map, "group");
        pack_text(b, q->group);
    }
    if (q->name) {
        pack_key(b, map, "name");
        pack_text(b, q->name);
    }
    if (q->since_ns) {
        pack_key(b, map, "since");
        pack_time(b, q->since_ns);
    }
    if (q->until_ns) {
        pack_key(b, map, "until");
        pack_time(b, q->until_ns);
    }
}

int pages_request(struct context *c, const struct pages_query *q, uint64_t from, uint64_t rows,
                  uint32_t *ret_msgid, struct err *err)
{
    struct buf params = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&params);
    if (q->ids) {
        ids_pack(&params, q->ids, q->nids);
        map.n++;
    }
    pages_pack_filters(&params, &map, q);
    pack_key(&params, &map, "order");
    pack_text(&params, q->ascending ? "asc" : "desc");
    if (from) {
        pack_key(&params, &map, "from");
        pack_uint(&params, from);
    }
    pack_key(&params, &map, "limit");
    pack_uint(&params, rows);
    pack_map_end(&params, &map);
    int r = link_request(&c->link, "status", &params, ret_msgid, err);
    buf_done(&params);
    return r;
}

static int pages_grow(struct pages *p, size_t rows)
{
    struct reply **replies = reallocarray(p->replies, p->nreplies + 1, sizeof(*replies));
    if (!replies)
        return -ENOMEM;
    p->replies = replies;
    const msgpack_object **tasks = reallocarray(p->tasks, p->n + rows + 1, sizeof(*tasks));
    if (!tasks)
        return -ENOMEM;
    p->tasks = tasks;
    return 0;
}

int pages_take(struct pages *p, struct context *c, uint32_t msgid, uint64_t *ret_next,
               struct err *err)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    int r = context_wait(c, msgid, &reply, err);
    if (r < 0)
        return r;
    const msgpack_object *tasks = map_get(reply->result, "tasks");
    size_t n = tasks && tasks->type == MSGPACK_OBJECT_ARRAY ? tasks->via.array.size : 0;
    if (pages_grow(p, n) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        p->tasks[p->n++] = &tasks->via.array.ptr[i];
    *ret_next = map_uint(reply->result, "next", 0);
    p->replies[p->nreplies++] = TAKE_PTR(reply);
    return 0;
}

int pages_read(struct pages *p, struct context *c, const struct pages_query *q,
               uint64_t *ret_next, struct err *err)
{
    uint64_t next = 0;
    int r = context_connect(c, err);
    do {
        uint64_t missing = q->most - p->n;
        uint32_t msgid;
        if (r == 0)
            r = pages_request(c, q, next, missing < PAGES_ROWS ? missing : PAGES_ROWS, &msgid,
                              err);
        if (r == 0)
            r = pages_take(p, c, msgid, &next, err);
    } while (r == 0 && next && p->n < q->most);
    *ret_next = next;
    return r;
}

int pages_each(struct context *c, const struct pages_query *q, pages_fn *fn, void *arg,
               uint64_t *ret_next, struct err *err)
{
    uint64_t left = q->most;
    uint64_t next = 0;
    int r = context_connect(c, err);
    do {
        _cleanup_(pages_done) struct pages page = {NULL, 0, NULL, 0};
        uint32_t msgid;
        if (r == 0)
            r = pages_request(c, q, next, left < PAGES_ROWS ? left : PAGES_ROWS, &msgid, err);
        if (r == 0)
            r = pages_take(&page, c, msgid, &next, err);
        if (r == 0)
            r = fn(arg, &page, err);
        left -= page.n < left ? page.n : left;
    } while (r == 0 && next && left > 0);
    if (ret_next)
        *ret_next = next;
    return r;
}

int pages_check_group(const struct pages *p, const char *group, struct err *err)
{
    const msgpack_object *groups =
        p->nreplies ? map_get(p->replies[0]->result, "groups") : NULL;
    if (!group || p->n > 0 || !groups || groups->type != MSGPACK_OBJECT_ARRAY)
        return 0;
    for (uint32_t i = 0; i < groups->via.array.size; i++) {
        if (bytes_equal(map_text(&groups->via.array.ptr[i], "name"), group))
            return 0;
    }
    return err_set(err, -ENOENT, "there is no group %s: `aioctl group` lists them", group);
}
