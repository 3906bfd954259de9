/* SPDX-License-Identifier: MIT */
/*
 * chosen - asks `status`: for a word, for the newest, or page after page for the live ones.
 */
#include "client/chosen.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/parse.h"
#include "client/ids.h"
#include "proto/pack.h"

/* What is asked of `status`, also once more after a restart. */
struct chosen_query {
    const char *word; /* NULL: no ids */
    bool live;        /* those that are not DONE, from the oldest on */
    uint64_t from;    /* the page behind this id */
    uint64_t limit;
};

static void chosen_pack(void *arg, struct buf *b, bool again)
{
    const struct chosen_query *q = arg;
    (void)again;
    struct pack_map_place map = pack_map_begin(b);
    if (q->word) {
        pack_key(b, &map, "ids");
        pack_array(b, 1);
        pack_text(b, q->word);
    }
    if (q->live) {
        pack_key(b, &map, "states");
        pack_array(b, 3);
        pack_text(b, "PENDING");
        pack_text(b, "RUNNING");
        pack_text(b, "SUSPENDED");
        pack_key(b, &map, "order");
        pack_text(b, "asc");
    }
    if (q->from) {
        pack_key(b, &map, "from");
        pack_uint(b, q->from);
    }
    pack_key(b, &map, "limit");
    pack_uint(b, q->limit);
    pack_map_end(b, &map);
}

/* Asks for one page; *ret_tasks is borrowed from the reply. */
static int chosen_ask(struct context *c, struct chosen_query *q, struct reply **ret,
                      const msgpack_object_array **ret_tasks, struct err *err)
{
    int r = context_call_again(c, "status", chosen_pack, q, ret, err);
    if (r < 0)
        return r;
    const msgpack_object *tasks = map_get((*ret)->result, "tasks");
    if (!tasks || tasks->type != MSGPACK_OBJECT_ARRAY)
        return err_set(err, -EPROTO, "the event loop answered without tasks");
    *ret_tasks = &tasks->via.array;
    return 0;
}

/* The first task of an answer; 0: it has none. */
static int chosen_first(struct context *c, struct chosen_query q, uint64_t *ret,
                        struct err *err)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    const msgpack_object_array *tasks = NULL;
    int r = chosen_ask(c, &q, &reply, &tasks, err);
    if (r == 0)
        *ret = tasks->size > 0 ? map_uint(&tasks->ptr[0], "id", 0) : 0;
    return r;
}

int chosen_newest(struct context *c, uint64_t *ret, struct err *err)
{
    return chosen_first(c, (struct chosen_query){.limit = 1}, ret, err);
}

int chosen_one(struct context *c, const char *word, uint64_t *ret, struct err *err)
{
    *ret = 0;
    if (parse_u64(word, ret) == 0 || !ids_single(word))
        return 0;
    return chosen_first(c, (struct chosen_query){.word = word, .limit = 1}, ret, err);
}

static int chosen_live(struct context *c, struct taskset *ret, struct err *err)
{
    struct chosen_query q = {.live = true, .limit = LIMIT_PAGE_ROWS};
    do {
        _cleanup_(reply_freep) struct reply *reply = NULL;
        const msgpack_object_array *tasks = NULL;
        int r = chosen_ask(c, &q, &reply, &tasks, err);
        if (r < 0)
            return r;
        for (uint32_t i = 0; i < tasks->size; i++) {
            uint64_t id = map_uint(&tasks->ptr[i], "id", 0);
            taskset_add(ret, id, id, false);
        }
        q.from = map_uint(reply->result, "next", 0);
    } while (q.from);
    return 0;
}

/* "3-9" */
static bool chosen_range(const char *word, uint64_t *first, uint64_t *last)
{
    char text[64];
    const char *dash = strchr(word, '-');
    size_t len = dash ? (size_t)(dash - word) : sizeof(text);
    if (len >= sizeof(text))
        return false;
    memcpy(text, word, len);
    text[len] = '\0';
    if (parse_u64(text, first) < 0 || parse_u64(dash + 1, last) < 0 || *first > *last)
        return false;
    *last = *last < INT64_MAX ? *last : INT64_MAX; /* no id is beyond */
    return *first <= *last;
}

static int chosen_word(struct context *c, const char *word, struct taskset *ret,
                       struct err *err)
{
    uint64_t first, last;
    if (strcmp(word, "all") == 0)
        return chosen_live(c, ret, err);
    if (chosen_range(word, &first, &last)) {
        taskset_add(ret, first, last, false);
        return 0;
    }
    if (parse_u64(word, &first) < 0) {
        struct chosen_query q = {.word = word, .limit = 1};
        int r = chosen_first(c, q, &first, err);
        if (r < 0)
            return r;
    }
    taskset_add(ret, first, first, true);
    return 0;
}

int chosen_set(struct context *c, char *const *words, size_t n, struct taskset *ret,
               struct err *err)
{
    int r = n == 0 ? chosen_live(c, ret, err) : 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = chosen_word(c, words[i], ret, err);
    taskset_settle(ret);
    if (r == 0 && ret->failed)
        r = err_set(err, -ENOMEM, "out of memory");
    return r;
}
