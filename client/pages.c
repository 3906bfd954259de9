/* SPDX-License-Identifier: MIT */
#include "client/pages.h"

#include <ctype.h>
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

static void pages_pack_states(struct buf *b, const struct pages_query *q)
{
    pack_array(b, q->nstates);
    for (size_t i = 0; i < q->nstates; i++) {
        char state[16] = "";
        for (size_t k = 0; q->states[i][k] && k + 1 < sizeof(state); k++)
            state[k] = (char)toupper((unsigned char)q->states[i][k]);
        pack_text(b, state);
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
    if (q->states) {
        pack_key(&params, &map, "states");
        pages_pack_states(&params, q);
    }
    if (q->group) {
        pack_key(&params, &map, "group");
        pack_text(&params, q->group);
    }
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
