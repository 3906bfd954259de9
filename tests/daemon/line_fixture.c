/* SPDX-License-Identifier: MIT */
#include "tests/daemon/line_fixture.h"

#include <stdio.h>

#include "base/limits.h"
#include "daemon/aio/task.h"

int line_setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.group = NULL};
    fake_loop_init(&f.loop);
    watchers_init(&f.watchers);
    groups_init(&f.groups, &f.loop.sched, &f.watchers, 4);
    for (unsigned u = 0; u < LINE_USERS; u++)
        f.users[u].uid = 1000 + u;
    f.group = groups_set(&f.groups, "convert", 2);
    for (unsigned i = 0; i < LINE_TASKS; i++) {
        f.tasks[i] = task_new(NULL, i, NULL, "");
        if (!f.tasks[i])
            return -1;
        f.tasks[i]->group = f.group;
        f.tasks[i]->user = &f.users[0];
        snprintf(f.names[i], sizeof(f.names[i]), "t%u", i);
    }
    *state = &f;
    return f.group ? 0 : -1;
}

int line_teardown(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < LINE_TASKS; i++)
        aio_task_unref(f->waits[i]);
    fake_loop_done(&f->loop);
    for (unsigned i = 0; i < LINE_TASKS; i++)
        task_free(f->tasks[i]);
    groups_done(&f->groups);
    return 0;
}

/* ---- bodies: what life.c does with both permits ---- */

static struct fixture *fixture_of(const struct task *t)
{
    return container_of(t->group->groups, struct fixture, groups);
}

static struct aio_next body_has_slot(struct aio_co *co)
{
    struct task *t = actor_of(co)->arg;
    struct fixture *f = fixture_of(t);
    line_leave(t);
    if (actor_note_outcome(co) < 0) {
        line_release(t);
        return actor_pass(co);
    }
    t->has_slot = true;
    f->order[f->started++ % LINE_TASKS] = (unsigned)t->id;
    return actor_pass(co);
}

static struct aio_next body_has_place(struct aio_co *co)
{
    struct task *t = actor_of(co)->arg;
    if (aio_outcome(co, NULL) < 0) {
        line_leave(t);
        actor_note_outcome(co);
        return actor_pass(co);
    }
    t->has_place = true;
    return aio_delegate_try(co, line_await_slot(t), STEP(body_has_slot));
}

static struct aio_next body_queue(struct aio_co *co)
{
    return aio_delegate_try(co, line_await_place(actor_of(co)->arg), STEP(body_has_place));
}

void queue_as(struct fixture *f, unsigned i, unsigned user)
{
    f->tasks[i]->user = &f->users[user];
    struct actor *actor = actor_new(&f->loop, f->names[i], STEP(body_queue), NULL);
    actor->arg = f->tasks[i];
    aio_task_unref(f->waits[i]);
    f->waits[i] = aio_task_new(&f->loop.sched, &actor->co);
    assert_non_null(f->waits[i]);
}

bool waits(const struct fixture *f, unsigned i)
{
    return f->waits[i] && !aio_future_is_done(&f->waits[i]->future);
}

void cancel(struct fixture *f, unsigned i)
{
    aio_task_cancel(f->waits[i], NULL);
}

void queue(struct fixture *f, unsigned i)
{
    queue_as(f, i, 0);
}

void run(struct fixture *f)
{
    fake_loop_run(&f->loop);
}

void end(struct fixture *f, unsigned i)
{
    line_release(f->tasks[i]);
    run(f);
}

/* ---- looking ---- */

void assert_held(const struct fixture *f, uint32_t slots, uint32_t places)
{
    assert_int_equal(f->group->slots_held, slots);
    assert_int_equal(f->group->places_held, places);
}

uint32_t position(const struct fixture *f, unsigned i)
{
    return line_position(f->group, f->tasks[i], UINT32_MAX);
}

static void assert_lane(const struct fixture *f, const struct lane *lane)
{
    uint32_t waiting = 0, ahead = 0;
    bool left_behind = false; /* FIFO: behind the first without a place nobody has one */
    list_for_each (it, &lane->tasks) {
        const struct task *t = container_of(it, struct task, in_line);
        assert_ptr_equal(t->user, lane->user);
        assert_false(t->has_slot);
        assert_false(left_behind && t->has_place);
        left_behind = !t->has_place;
        waiting++;
        ahead += t->has_place;
    }
    assert_int_equal(lane->waiting, waiting);
    assert_int_equal(lane->ahead, ahead);
    uint32_t most = f->groups.running_per_uid;
    bool may_run = !most || lane->user->running < most;
    /* nothing that is free is kept from who may have it */
    if (!f->group->paused) {
        assert_true(ahead > 0);
        assert_false(may_run && f->group->slots_held < f->group->limit);
        /* but places, which are given some at a time */
        uint32_t places = f->group->slots_held + LIMIT_AHEAD / 2;
        assert_false(may_run && ahead < waiting && f->group->places_held <= places &&
                     f->group->places_held < f->group->limit + LIMIT_AHEAD);
    }
}

void assert_sound(const struct fixture *f)
{
    uint32_t slots = 0, places = 0, waiting = 0, running[LINE_USERS] = {0};
    for (unsigned i = 0; i < LINE_TASKS; i++) {
        const struct task *t = f->tasks[i];
        slots += t->has_slot;
        places += t->has_place;
        waiting += !list_empty(&t->in_line);
        if (t->has_slot)
            running[t->user - f->users]++;
    }
    assert_held(f, slots, places);
    assert_int_equal(f->group->waiting, waiting);
    for (unsigned u = 0; u < LINE_USERS; u++)
        assert_int_equal(f->users[u].running, running[u]);
    list_for_each (it, &f->group->lanes)
        assert_lane(f, container_of(it, struct lane, node));
}
