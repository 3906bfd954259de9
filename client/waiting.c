/* SPDX-License-Identifier: MIT */
/*
 * waiting - in time order: parts are cut; some are asked for; answers are taken as they come and
 * make room for other parts, until all were answered or, with `first`, until a task has come
 * and the rest of its answer.
 */
#include "client/waiting.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "client/chosen.h"
#include "client/reconnect.h"
#include "proto/pack.h"

enum {
    /* Tasks in one part: an answer holds LIMIT_REPLY_TASKS of them, and the ids of all others. */
    WAITING_PART = LIMIT_MESSAGE_ITEMS - LIMIT_REPLY_TASKS * LIMIT_TASK_ITEMS - 64,
    /* Parts under way at once: all may be answered in one moment, and what waits for us has to
     * stay below LIMIT_REPLY_BACKLOG_BYTES. */
    WAITING_UNDER_WAY = 8,
    WAITING_TASKS_MAX = 10000000,
};

void waiting_done(struct waiting *w)
{
    for (size_t i = 0; i < w->n; i++)
        taskset_done(&w->parts[i].set);
    free(w->parts);
    taskset_done(&w->pending);
    *w = (struct waiting)WAITING_INIT;
}

/* ---- asking ---- */

/* What is left of the time, in seconds. */
static double waiting_timeout(const struct waiting *w)
{
    uint64_t now = clock_awake();
    uint64_t left = w->c->deadline_ns > now ? w->c->deadline_ns - now : 0;
    return (double)left / (double)NSEC_PER_SEC;
}

/* How many of a part are asked for: of a rest as many as an answer may show, since each is read
 * from the disk. */
static uint64_t waiting_share(const struct waiting_part *part)
{
    uint64_t n = taskset_count(&part->set);
    return part->rest && n > LIMIT_REPLY_TASKS ? LIMIT_REPLY_TASKS : n;
}

static int waiting_ask(struct waiting *w, struct waiting_part *part, struct err *err)
{
    _cleanup_(buf_done) struct buf params = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&params);
    pack_key(&params, &map, "mode");
    pack_text(&params, w->first && !part->rest ? "first" : "all");
    pack_key(&params, &map, "ids");
    taskset_pack(&params, &part->set, waiting_share(part));
    if (w->c->deadline_ns != 0 && !part->rest) {
        pack_key(&params, &map, "timeout");
        pack_double(&params, waiting_timeout(w));
    }
    pack_map_end(&params, &map);
    return link_request(&w->c->link, "wait", &params, &part->msgid, err);
}

/* Asks for as many parts as may be under way. */
static int waiting_ask_more(struct waiting *w, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < w->n && r == 0 && w->under_way < WAITING_UNDER_WAY; i++) {
        struct waiting_part *part = &w->parts[i];
        if (part->set.n == 0 || part->msgid != 0)
            continue;
        r = waiting_ask(w, part, err);
        w->under_way++;
    }
    return r;
}

/* On a new connection nothing is under way. */
static int waiting_begin(struct waiting *w, struct err *err)
{
    int r = context_connect(w->c, err);
    if (r == 0)
        r = context_hello(w->c, err);
    for (size_t i = 0; i < w->n; i++)
        w->parts[i].msgid = 0;
    w->under_way = 0;
    return r;
}

/* ---- answers ---- */

static const msgpack_object_array *waiting_array(const msgpack_object *result, const char *key)
{
    static const msgpack_object_array none = {0, NULL};
    const msgpack_object *array = map_get(result, key);
    return array && array->type == MSGPACK_OBJECT_ARRAY ? &array->via.array : &none;
}

static void waiting_add_ids(struct taskset *set, const msgpack_object_array *ids)
{
    for (uint32_t i = 0; i < ids->size; i++) {
        if (ids->ptr[i].type == MSGPACK_OBJECT_POSITIVE_INTEGER)
            taskset_add(set, ids->ptr[i].via.u64, ids->ptr[i].via.u64, false);
    }
}

/* One answer: its tasks are given away, the rest stays in the set. */
static int waiting_answer(struct waiting *w, struct waiting_part *part,
                          const msgpack_object *result, struct err *err)
{
    const msgpack_object_array *done = waiting_array(result, "done");
    for (uint32_t i = 0; i < done->size; i++)
        w->done(w->arg, &done->ptr[i]);
    w->came += done->size;
    if (map_bool(result, "timed_out", false))
        w->timed_out = true;
    waiting_add_ids(&w->pending, waiting_array(result, "pending"));
    taskset_drop(&part->set, waiting_share(part));
    waiting_add_ids(&part->set, waiting_array(result, "rest"));
    taskset_settle(&part->set);
    if (part->set.failed || w->pending.failed)
        return err_set(err, -ENOMEM, "out of memory");
    part->rest = true;
    part->msgid = 0;
    w->under_way--;
    w->open -= part->set.n == 0;
    return 0;
}

/* Waits for one answer and takes it. */
static int waiting_take(struct waiting *w, struct err *err)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    uint32_t msgid;
    int r = link_wait_any(&w->c->link, &msgid, &reply, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->n; i++) {
        if (w->parts[i].msgid == msgid)
            return waiting_answer(w, &w->parts[i], reply->result, err);
    }
    return 0;
}

/* With `first` the others need not be waited for. */
static bool waiting_is_over(const struct waiting *w)
{
    if (w->open == 0)
        return true;
    if (!w->first || w->came == 0)
        return false;
    for (size_t i = 0; i < w->n; i++) {
        if (w->parts[i].rest && w->parts[i].set.n > 0)
            return false;
    }
    return true;
}

/* ---- the whole ---- */

static int waiting_cut(struct waiting *w, struct taskset *set, struct err *err)
{
    uint64_t newest;
    uint64_t most = w->first ? WAITING_PART * WAITING_UNDER_WAY : WAITING_TASKS_MAX;
    if (taskset_count(set) > WAITING_PART) { /* a range may reach beyond all tasks */
        int r = chosen_newest(w->c, &newest, err);
        if (r < 0)
            return r;
        taskset_clip(set, newest);
    }
    uint64_t n = taskset_count(set);
    if (n > most)
        return err_set(err, -EDQUOT, "these are %llu tasks, at most %llu can be waited for%s",
                       (unsigned long long)n, (unsigned long long)most,
                       w->first ? " with --first" : "");
    w->parts = calloc((size_t)n / WAITING_PART + 1, sizeof(*w->parts));
    if (!w->parts)
        return err_set(err, -ENOMEM, "out of memory");
    for (; set->n > 0; w->n++) {
        taskset_split(set, WAITING_PART, &w->parts[w->n].set);
        if (w->parts[w->n].set.failed)
            return err_set(err, -ENOMEM, "out of memory");
    }
    w->open = w->n;
    return 0;
}

static int waiting_go(struct waiting *w, struct err *err)
{
    int r = waiting_begin(w, err);
    while (r == 0 && !waiting_is_over(w)) {
        r = waiting_ask_more(w, err);
        if (r == 0)
            r = waiting_take(w, err);
    }
    return r;
}

/* Those whose part was not answered. */
static void waiting_leave(struct waiting *w)
{
    for (size_t i = 0; i < w->n; i++) {
        const struct taskset *set = &w->parts[i].set;
        for (size_t k = 0; k < set->n && !w->parts[i].rest; k++)
            taskset_add(&w->pending, set->ranges[k].first, set->ranges[k].last, false);
    }
    taskset_settle(&w->pending);
}

int waiting_run(struct waiting *w, struct taskset *set, struct err *err)
{
    int r = waiting_cut(w, set, err);
    if (r == 0 && w->n > 0)
        r = waiting_go(w, err);
    while (reconnect_helps(w->c, r) && (r = reconnect(w->c, err)) == 0)
        r = waiting_go(w, err);
    if (r == -ETIMEDOUT) { /* it was over while the event loop was away */
        w->timed_out = true;
        r = 0;
    }
    waiting_leave(w);
    return r;
}
