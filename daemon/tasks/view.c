/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/view.h"

#include <signal.h>
#include <string.h>

#include "daemon/tasks/function.h"
#include "daemon/tasks/group.h"
#include "daemon/tasks/line.h"
#include "daemon/tasks/tasks.h"
#include "proto/unpack.h"

/* Places in the line beyond this one are not counted: it is a walk for each task shown. */
enum { VIEW_POSITION_MAX = 1000 };

struct value *view_error(const char *type, const char *message, int exit, int signal)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    pack_key(&b, &map, "type");
    pack_text(&b, type);
    pack_key(&b, &map, "message");
    pack_sentence(&b, message);
    if (exit >= 0) {
        pack_key(&b, &map, "exit");
        pack_int(&b, exit);
    }
    if (signal >= 0) {
        pack_key(&b, &map, "signal");
        pack_int(&b, signal);
    }
    pack_map_end(&b, &map);
    return pack_take(&b);
}

static void view_time(struct buf *b, struct pack_map_place *map, const char *key, uint64_t ns)
{
    if (!ns)
        return;
    pack_key(b, map, key);
    pack_time(b, ns);
}

static void view_uint(struct buf *b, struct pack_map_place *map, const char *key, uint64_t n)
{
    if (!n)
        return;
    pack_key(b, map, key);
    pack_uint(b, n);
}

static void view_awaits(struct buf *b, struct pack_map_place *map, struct task *t)
{
    if (t->awaits == AWAITS_NOTHING)
        return;
    pack_key(b, map, "awaits");
    struct pack_map_place awaits = pack_map_begin(b);
    pack_key(b, &awaits, "kind");
    pack_text(b, task_awaits_name(t->awaits));
    if (t->awaits == AWAITS_TIMER)
        view_time(b, &awaits, "until", t->until_ns);
    if (t->awaits == AWAITS_PROCESS)
        view_uint(b, &awaits, "pid", t->pid);
    if (t->awaits == AWAITS_SLOT) {
        pack_key(b, &awaits, "group");
        pack_text(b, t->group->name);
        view_uint(b, &awaits, "position", line_position(t->group, t, VIEW_POSITION_MAX));
        if (t->group->paused) {
            pack_key(b, &awaits, "paused");
            pack_bool(b, true);
        }
    }
    pack_map_end(b, &awaits);
}

static void view_cancel(struct buf *b, struct pack_map_place *map, uint64_t at, uint32_t uid)
{
    if (!at)
        return;
    pack_key(b, map, "cancel");
    struct pack_map_place cancel = pack_map_begin(b);
    view_time(b, &cancel, "at", at);
    pack_key(b, &cancel, "uid");
    pack_uint(b, uid);
    pack_map_end(b, &cancel);
}

static void view_loop(struct buf *b, struct pack_map_place *map, const struct aio_task *life)
{
    pack_key(b, map, "loop");
    pack_map(b, 4);
    pack_text(b, "steps");
    pack_uint(b, life->stats.steps);
    pack_text(b, "longest_us");
    pack_uint(b, life->stats.longest_ns / 1000);
    pack_text(b, "run_us");
    pack_uint(b, life->stats.run_ns / 1000);
    pack_text(b, "step");
    pack_text(b, aio_task_step_name(life));
}

struct view_head {
    uint64_t id;
    const char *name;
    const char *function;
    const char *title;
    const char *group;
    uint32_t uid;
};

static void view_head(struct buf *b, struct pack_map_place *map, const struct view_head *h)
{
    pack_key(b, map, "id");
    pack_uint(b, h->id);
    if (h->name) {
        pack_key(b, map, "name");
        pack_text(b, h->name);
    }
    pack_key(b, map, "function");
    pack_text(b, h->function);
    pack_key(b, map, "title");
    pack_text(b, h->title);
    if (h->group) {
        pack_key(b, map, "group");
        pack_text(b, h->group);
    }
    pack_key(b, map, "uid");
    pack_uint(b, h->uid);
}

static void view_state(struct buf *b, struct pack_map_place *map, enum task_state state,
                       enum store_outcome outcome)
{
    pack_key(b, map, "state");
    pack_text(b, task_state_name(state));
    if (outcome != STORE_LIVE) {
        pack_key(b, map, "outcome");
        pack_text(b, task_outcome_name(outcome));
    }
    pack_key(b, map, "done");
    pack_bool(b, outcome != STORE_LIVE);
    pack_key(b, map, "cancelled");
    pack_bool(b, outcome == STORE_CANCELLED);
}

static void view_live_body(struct buf *b, struct pack_map_place *map, struct task *t)
{
    view_head(b, map,
              &(struct view_head){t->id, t->name, t->function->name, t->title, t->group->name,
                                  t->uid});
    view_state(b, map, t->state, STORE_LIVE);
    view_time(b, map, "since", t->since_ns);
    view_time(b, map, "submitted", t->submitted_ns);
    view_time(b, map, "started", t->started_ns);
    view_awaits(b, map, t);
    view_uint(b, map, "attempt", t->attempt);
    view_uint(b, map, "pid", t->pid);
    view_uint(b, map, "retry_of", t->retry_of);
    view_cancel(b, map, t->cancel_ns, t->cancel_uid);
    if (t->life)
        view_loop(b, map, t->life);
}

void view_live(struct buf *b, struct task *t)
{
    struct pack_map_place map = pack_map_begin(b);
    view_live_body(b, &map, t);
    pack_map_end(b, &map);
}

static void view_finished_body(struct buf *b, struct pack_map_place *map,
                               const struct store_task *row)
{
    view_head(b, map,
              &(struct view_head){row->id, row->name, row->function, row->title, row->group,
                                  row->uid});
    view_state(b, map, TASK_DONE, row->outcome);
    view_time(b, map, "since", row->ended_ns);
    view_time(b, map, "submitted", row->submitted_ns);
    /* what needs no process starts with its attempt */
    bool in_loop =
        memcmp(row->attempt_spawner, (uint8_t[STORE_UUID_BYTES]){0}, STORE_UUID_BYTES) == 0;
    view_time(b, map, "started",
              row->started_ns || !in_loop ? row->started_ns : row->attempt_ns);
    view_time(b, map, "ended", row->ended_ns);
    view_uint(b, map, "attempt", row->attempt);
    view_uint(b, map, "pid", row->pid);
    view_uint(b, map, "retry_of", row->retry_of);
    view_uint(b, map, "retried_as", row->retried_as);
    view_cancel(b, map, row->cancel_ns, row->cancel_uid);
    if (row->result) {
        pack_key(b, map, row->outcome == STORE_OK ? "result" : "error");
        pack_value(b, row->result);
    }
    if (row->usage) {
        pack_key(b, map, "usage");
        pack_value(b, row->usage);
    }
}

void view_finished(struct buf *b, const struct store_task *row)
{
    struct pack_map_place map = pack_map_begin(b);
    view_finished_body(b, &map, row);
    pack_map_end(b, &map);
}

static void view_env(struct buf *b, struct pack_map_place *map, const struct value *env,
                     bool values)
{
    struct unpacked u = UNPACKED_INIT;
    if (!env || unpack(&u, env->bytes, env->len) < 0)
        return;
    pack_key(b, map, "env_count");
    pack_uint(b, u.root.type == MSGPACK_OBJECT_ARRAY ? u.root.via.array.size : 0);
    unpacked_done(&u);
    if (values) {
        pack_key(b, map, "env");
        pack_value(b, env);
    }
}

void view_detail(struct buf *b, const struct store_task *row, struct task *live, bool env,
                 void (*more)(struct buf *, struct pack_map_place *, void *ctx), void *ctx)
{
    struct pack_map_place map = pack_map_begin(b);
    if (live)
        view_live_body(b, &map, live);
    else
        view_finished_body(b, &map, row);
    if (row->args) {
        pack_key(b, &map, "args");
        pack_value(b, row->args);
    }
    view_env(b, &map, row->env, env);
    view_uint(b, &map, "client_pid", row->client_pid);
    if (row->due_wall_ns)
        view_time(b, &map, "due", row->due_wall_ns);
    if (more)
        more(b, &map, ctx);
    pack_map_end(b, &map);
}

void view_group(struct buf *b, const struct group *group, bool gone)
{
    pack_map(b, gone ? 7 : 6);
    pack_text(b, "name");
    pack_text(b, group->name);
    pack_text(b, "slots");
    pack_uint(b, group->limit);
    pack_text(b, "held");
    pack_uint(b, group->slots_held);
    pack_text(b, "waiting");
    pack_uint(b, group->waiting);
    pack_text(b, "paused");
    pack_bool(b, group->paused);
    pack_text(b, "from");
    pack_text(b, gone && group->told_from ? group->told_from : group_from(group));
    if (gone) {
        pack_text(b, "removed");
        pack_bool(b, true);
    }
}
