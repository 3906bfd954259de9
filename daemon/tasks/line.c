/* SPDX-License-Identifier: MIT */
/*
 * await_place, await_slot: a free permit and nobody of the same user before it: returns at once,
 * without a turn of the loop. Else joins the lane's queue and suspends until it is given one.
 * Cancelled: leaves the queue; what it had been given meanwhile goes to the next.
 */
#include "daemon/tasks/line.h"

#include <stdlib.h>

#include "base/limits.h"
#include "daemon/tasks/group.h"
#include "daemon/tasks/record.h"
#include "daemon/tasks/user.h"

struct awaiting {
    struct aio_co co;
    struct task *task; /* borrowed */
    struct lane *lane; /* borrowed: stays while the task is in it */
    struct aio_waiter waiter;
    bool slot; /* else a place */
};

/* ---- lanes ---- */

static struct lane *line_find(const struct group *group, const struct user *user)
{
    list_for_each (it, &group->lanes) {
        struct lane *lane = container_of(it, struct lane, node);
        if (lane->user == user)
            return lane;
    }
    return NULL;
}

static struct lane *line_join(struct task *t)
{
    struct group *group = t->group;
    struct lane *lane = line_find(group, t->user);
    if (!lane) {
        lane = calloc(1, sizeof(*lane));
        if (!lane)
            return NULL;
        lane->user = t->user;
        list_init(&lane->tasks);
        aio_waitq_init(&lane->for_place, group->groups->sched);
        aio_waitq_init(&lane->for_slot, group->groups->sched);
        list_push_back(&group->lanes, &lane->node);
    }
    list_push_back(&lane->tasks, &t->in_line);
    lane->waiting++;
    group->waiting++;
    return lane;
}

void line_leave(struct task *t)
{
    if (list_empty(&t->in_line))
        return;
    struct lane *lane = line_find(t->group, t->user);
    list_remove(&t->in_line);
    t->group->waiting--;
    if (--lane->waiting > 0)
        return;
    list_remove(&lane->node);
    free(lane);
}

/* ---- handing out ---- */

static bool line_may_run(const struct group *group, const struct user *user)
{
    uint32_t most = group->groups->running_per_uid;
    return !most || user->unlimited || user->running < most;
}

static bool line_has_slot(const struct group *group, const struct lane *lane)
{
    return !group->paused && group->slots_held < group->limit &&
           line_may_run(group, lane->user);
}

static bool line_has_place(const struct group *group, const struct lane *lane)
{
    bool room = group->filling && group->places_held < group->limit + LIMIT_AHEAD;
    return !group->paused && (lane->ahead == 0 || (room && line_may_run(group, lane->user)));
}

/* The permit is this lane's; the next slot is another one's. */
static void line_take(struct group *group, struct lane *lane, bool slot)
{
    if (!slot) {
        group->places_held++;
        lane->ahead++;
        if (group->places_held >= group->limit + LIMIT_AHEAD)
            group->filling = false;
        return;
    }
    group->slots_held++;
    lane->user->running++;
    lane->ahead--;
    list_remove(&lane->node);
    list_push_back(&group->lanes, &lane->node);
}

/* Gives to the first lane that may have a slot; false: none. */
static bool line_give_slot(struct group *group)
{
    list_for_each (it, &group->lanes) {
        struct lane *lane = container_of(it, struct lane, node);
        if (line_has_slot(group, lane) && aio_waitq_give(&lane->for_slot)) {
            line_take(group, lane, true);
            return true;
        }
    }
    return false;
}

/* Gives to the lane that has the fewest ahead. */
static bool line_give_place(struct group *group)
{
    struct lane *best = NULL;
    list_for_each (it, &group->lanes) {
        struct lane *lane = container_of(it, struct lane, node);
        if (!list_empty(&lane->for_place.line) && line_has_place(group, lane) &&
            (!best || lane->ahead < best->ahead))
            best = lane;
    }
    if (!best)
        return false;
    aio_waitq_give(&best->for_place);
    line_take(group, best, false);
    return true;
}

void line_hand_out(struct group *group)
{
    while (line_give_slot(group))
        ;
    if (group->places_held <= group->slots_held + LIMIT_AHEAD / 2)
        group->filling = true;
    while (line_give_place(group))
        ;
}

/* ---- giving back ---- */

/* A user who runs as many as they may waits in every group. */
static void line_user_stopped(struct group *group, struct user *user)
{
    bool was_full = !line_may_run(group, user);
    user->running--;
    if (!was_full)
        return;
    list_for_each (it, &group->groups->all)
        line_hand_out(container_of(it, struct group, node));
}

static void line_give_back_slot(struct group *group, struct user *user)
{
    group->slots_held--;
    line_user_stopped(group, user);
}

void line_seize(struct task *t)
{
    t->group->places_held++;
    t->group->slots_held++;
    t->user->running++;
    t->has_place = true;
    t->has_slot = true;
}

void line_release(struct task *t)
{
    struct group *group = t->group;
    if (!t->has_slot && !t->has_place)
        return;
    struct lane *lane = line_find(group, t->user);
    if (t->has_slot)
        line_give_back_slot(group, t->user);
    else if (lane) /* it goes from the line with its place */
        lane->ahead--;
    if (t->has_place)
        group->places_held--;
    t->has_slot = false;
    t->has_place = false;
    line_hand_out(group);
}

/* ---- awaiting ---- */

static struct awaiting *awaiting_of(struct aio_co *co)
{
    return container_of(co, struct awaiting, co);
}

static struct aio_next awaiting_end(struct aio_co *co)
{
    struct awaiting *a = awaiting_of(co);
    struct group *group = a->task->group;
    struct value *details;
    int err = aio_outcome(co, &details);
    bool given = aio_waiter_leave(&a->waiter);
    if (given && err < 0 && a->slot) {
        a->lane->ahead++; /* it has its place still */
        line_give_back_slot(group, a->task->user);
    } else if (given && err < 0) {
        a->lane->ahead--;
        group->places_held--;
    }
    /* Also for those who came while a permit was free and this one had yet to start. */
    line_hand_out(group);
    return err < 0 ? aio_raise(co, err, value_ref(details)) : aio_return(co, NULL);
}

static struct aio_next awaiting_begin(struct aio_co *co)
{
    struct awaiting *a = awaiting_of(co);
    struct group *group = a->task->group;
    struct lane *lane = a->lane;
    struct aio_waitq *queue = a->slot ? &lane->for_slot : &lane->for_place;
    /* Those who were given a permit start first, even if there are more. */
    if (aio_waitq_idle(queue) &&
        (a->slot ? line_has_slot(group, lane) : line_has_place(group, lane))) {
        line_take(group, lane, a->slot);
        return aio_return(co, NULL);
    }
    aio_waiter_join(&a->waiter, queue);
    return aio_await_try(co, &a->waiter.turn, STEP(awaiting_end));
}

static const struct aio_co_fn awaiting_fn = {"acquire", sizeof(struct awaiting),
                                             STEP_INIT(awaiting_begin), NULL};

static struct aio_co *line_await(struct task *t, struct lane *lane, bool slot)
{
    struct aio_co *co = lane ? aio_co_new(&awaiting_fn) : NULL;
    if (!co)
        return NULL;
    struct awaiting *a = awaiting_of(co);
    a->task = t;
    a->lane = lane;
    a->slot = slot;
    return co;
}

struct aio_co *line_await_place(struct task *t)
{
    return line_await(t, line_join(t), false);
}

struct aio_co *line_await_slot(struct task *t)
{
    return line_await(t, line_find(t->group, t->user), true);
}

/* ---- the position ---- */

/* The place of the task in its lane, from 0; `limit` and more count as limit. */
static uint32_t lane_index(const struct lane *lane, const struct task *t, uint32_t limit)
{
    uint32_t index = 0;
    list_for_each (it, &lane->tasks) {
        if (it == &t->in_line || index == limit)
            return index;
        index++;
    }
    return limit;
}

uint32_t line_position(const struct group *group, const struct task *t, uint32_t limit)
{
    const struct lane *own = line_find(group, t->user);
    if (list_empty(&t->in_line) || !own || !line_may_run(group, t->user))
        return 0;
    uint64_t index = lane_index(own, t, limit);
    uint64_t position = index + 1;
    bool before = true; /* lanes that give once more until it is this task's turn */
    list_for_each (it, &group->lanes) {
        const struct lane *lane = container_of(it, struct lane, node);
        if (lane == own) {
            before = false;
        } else if (line_may_run(group, lane->user)) {
            uint64_t turns = index + before;
            position += lane->waiting < turns ? lane->waiting : turns;
        }
    }
    return position <= limit ? (uint32_t)position : 0;
}
