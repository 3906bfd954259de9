/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/tasks/tasks.h"

struct task *task_new(struct tasks *tasks, uint64_t id, const char *name, const char *title)
{
    size_t size = strlen(title) + 1;
    struct task *t = calloc(1, sizeof(*t) + size);
    if (!t)
        return NULL;
    if (name && !(t->name = strdup(name))) {
        free(t);
        return NULL;
    }
    memcpy(t->title, title, size);
    t->id = id;
    t->tasks = tasks;
    list_init(&t->in_line);
    return t;
}

static void task_tell_moved(struct task *t)
{
    struct aio_future *moved = TAKE_PTR(t->moved);
    if (moved)
        aio_future_set_result(moved, NULL);
    aio_future_unref(moved);
}

void task_free(struct task *t)
{
    if (!t)
        return;
    aio_task_unref(t->life);
    aio_future_unref(t->accepted);
    aio_future_unref(t->gate);
    aio_future_unref(t->ended);
    task_tell_moved(t);
    free(t->name);
    free(t);
}

void task_enter_since(struct task *t, enum task_state state, enum task_awaits awaits,
                      uint64_t since_ns)
{
    enum task_state was = t->state;
    t->awaits = awaits;
    if (awaits != AWAITS_TIMER)
        t->until_ns = 0;
    if (since_ns)
        t->since_ns = since_ns;
    if (was == state)
        return;
    t->user->live[was]--;
    t->user->live[state]++;
    t->state = state;
    if (!since_ns)
        t->since_ns = clock_wall();
    task_tell_moved(t);
    if (watched(&t->tasks->watchers))
        watch_tell_state(&t->tasks->watchers, t, task_state_name(was));
    if (t->tasks->changed)
        t->tasks->changed(t->tasks->changed_ctx);
}

void task_enter(struct task *t, enum task_state state, enum task_awaits awaits)
{
    task_enter_since(t, state, awaits, 0);
}

const char *task_state_name(enum task_state state)
{
    static const char *const names[TASK_STATES] = {"PENDING", "RUNNING", "SUSPENDED", "DONE"};
    return names[state];
}

const char *task_awaits_name(enum task_awaits awaits)
{
    switch (awaits) {
    case AWAITS_NOTHING:
        return NULL;
    case AWAITS_STORE:
        return "store";
    case AWAITS_TIMER:
        return "timer";
    case AWAITS_SLOT:
        return "slot";
    case AWAITS_SPAWNER:
        return "spawner";
    case AWAITS_PROCESS:
        return "process";
    }
    return NULL;
}

const char *task_outcome_name(enum store_outcome outcome)
{
    switch (outcome) {
    case STORE_LIVE:
        return NULL;
    case STORE_OK:
        return "ok";
    case STORE_FAILED:
        return "failed";
    case STORE_CANCELLED:
        return "cancelled";
    }
    return NULL;
}

struct aio_future *task_ended(struct task *t)
{
    if (!t->ended)
        t->ended = aio_future_new(t->tasks->sched);
    return t->ended;
}

struct aio_future *task_moved(struct task *t)
{
    if (!t->moved)
        t->moved = aio_future_new(t->tasks->sched);
    return t->moved;
}
