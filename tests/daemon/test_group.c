/* SPDX-License-Identifier: MIT */
/*
 * Groups and their two semaphores, on a loop with a fake clock: who holds, who waits, who is
 * next, and what happens to them when slots are changed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "daemon/tasks/group.h"
#include "daemon/tasks/record.h"
#include "tests/support/actor.h"

enum { TASKS = 12 };

struct fixture {
    struct fake_loop loop;
    struct groups groups;
    struct group *group;
    struct task *tasks[TASKS];
    char names[TASKS][8];
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.group = NULL};
    fake_loop_init(&f.loop);
    groups_init(&f.groups, &f.loop.sched);
    f.group = groups_set(&f.groups, "convert", 2);
    for (unsigned i = 0; i < TASKS; i++) {
        f.tasks[i] = task_new(NULL, i, NULL, "");
        if (!f.tasks[i])
            return -1;
        f.tasks[i]->group = f.group;
        snprintf(f.names[i], sizeof(f.names[i]), "t%u", i);
    }
    *state = &f;
    return f.group ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fake_loop_done(&f->loop);
    for (unsigned i = 0; i < TASKS; i++)
        task_free(f->tasks[i]);
    groups_done(&f->groups);
    return 0;
}

/* ---- bodies: what life.c does with both semaphores ---- */

static struct task *task_of(struct aio_co *co)
{
    return actor_of(co)->arg;
}

static struct aio_next body_has_slot(struct aio_co *co)
{
    struct task *t = task_of(co);
    list_remove(&t->in_group);
    if (actor_note_outcome(co) < 0) {
        group_release(t);
        return actor_pass(co);
    }
    t->has_slot = true;
    return actor_pass(co);
}

static struct aio_next body_has_place(struct aio_co *co)
{
    struct task *t = task_of(co);
    if (aio_outcome(co, NULL) < 0) {
        list_remove(&t->in_group);
        actor_note_outcome(co);
        return actor_pass(co);
    }
    t->has_place = true;
    return aio_delegate_try(co, aio_semaphore_acquire(&t->group->slots), STEP(body_has_slot));
}

static struct aio_next body_queue(struct aio_co *co)
{
    struct task *t = task_of(co);
    list_push_back(&t->group->line, &t->in_group);
    return aio_delegate_try(co, aio_semaphore_acquire(&t->group->places), STEP(body_has_place));
}

static struct aio_task *queue(struct fixture *f, unsigned i)
{
    struct aio_task *task = actor_start(&f->loop, f->names[i], STEP(body_queue), NULL);
    actor_of_task(task)->arg = f->tasks[i];
    return task;
}

static void assert_held(const struct fixture *f, uint32_t slots, uint32_t places)
{
    assert_int_equal(f->group->slots.held, slots);
    assert_int_equal(f->group->places.held, places);
}

static uint32_t position(const struct fixture *f, unsigned i)
{
    return group_position(f->group, f->tasks[i], UINT32_MAX);
}

/* ---- names ---- */

static void test_find_and_set(void **state)
{
    struct fixture *f = *state;
    assert_null(groups_find(&f->groups, "default"));
    assert_ptr_equal(groups_find(&f->groups, "convert"), f->group);
    assert_null(groups_find(&f->groups, "conver"));
    struct group *other = groups_set(&f->groups, "other", 0);
    assert_non_null(other);
    assert_string_equal(other->name, "other");
    assert_int_equal(other->slots.capacity, 0);
    assert_int_equal(other->places.capacity, LIMIT_AHEAD);
    /* the same name again: the same group, changed */
    assert_ptr_equal(groups_set(&f->groups, "convert", 5), f->group);
    assert_int_equal(f->group->slots.capacity, 5);
    assert_int_equal(f->group->places.capacity, 5 + LIMIT_AHEAD);
    assert_ptr_equal(f->groups.all.next, &f->group->node);
    assert_ptr_equal(f->groups.all.next->next, &other->node);
}

/* ---- slots and places ---- */

static void test_slots_then_places(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 12; i++)
        queue(f, i);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t0 ok\n0 t1 ok\n");
    assert_held(f, 2, 2 + LIMIT_AHEAD); /* ten are ahead as far as they may, two wait */
    assert_int_equal(f->group->slots.waiting, LIMIT_AHEAD);
    assert_int_equal(f->group->places.waiting, 2);

    group_release(f->tasks[0]);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t2 ok\n");
    assert_held(f, 2, 2 + LIMIT_AHEAD);
    assert_int_equal(f->group->places.waiting, 1);
    for (unsigned i = 1; i < 12; i++) {
        group_release(f->tasks[i]);
        fake_loop_run(&f->loop);
    }
    assert_trace(&f->loop, "0 t3 ok\n0 t4 ok\n0 t5 ok\n0 t6 ok\n0 t7 ok\n0 t8 ok\n0 t9 ok\n"
                           "0 t10 ok\n0 t11 ok\n");
    assert_held(f, 0, 0);
}

static void test_release_is_idempotent(void **state)
{
    struct fixture *f = *state;
    queue(f, 0);
    queue(f, 1);
    fake_loop_run(&f->loop);
    fake_loop_trace(&f->loop);
    assert_held(f, 2, 2);
    group_release(f->tasks[0]);
    group_release(f->tasks[0]);
    group_release(f->tasks[5]); /* holds nothing */
    assert_held(f, 1, 1);
    group_release(f->tasks[1]);
    assert_held(f, 0, 0);
}

static void test_cancelled_in_line(void **state)
{
    struct fixture *f = *state;
    struct aio_task *waits[TASKS];
    for (unsigned i = 0; i < 12; i++)
        waits[i] = queue(f, i);
    fake_loop_run(&f->loop);
    fake_loop_trace(&f->loop);
    aio_task_cancel(waits[3], NULL);  /* one with a place */
    aio_task_cancel(waits[11], NULL); /* one without */
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t3 cancelled\n0 t11 cancelled\n");
    assert_held(f, 2, 2 + LIMIT_AHEAD); /* t10 has the place of t3 */
    assert_int_equal(f->group->places.waiting, 0);
    assert_int_equal(position(f, 3), 0);
    for (unsigned i = 0; i < 12; i++) {
        group_release(f->tasks[i]);
        fake_loop_run(&f->loop);
    }
    assert_held(f, 0, 0);
}

/* A permit that reaches a task in the same turn as its cancel goes on to the next one. */
static void test_cancelled_when_given(void **state)
{
    struct fixture *f = *state;
    struct aio_task *waits[TASKS];
    for (unsigned i = 0; i < 5; i++)
        waits[i] = queue(f, i);
    fake_loop_run(&f->loop);
    fake_loop_trace(&f->loop);
    group_release(f->tasks[0]);
    aio_task_cancel(waits[2], NULL);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t2 cancelled\n0 t3 ok\n");
    assert_held(f, 2, 3);
    group_release(f->tasks[1]);
    group_release(f->tasks[3]);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t4 ok\n");
    group_release(f->tasks[4]);
    assert_held(f, 0, 0);
}

/* ---- the line ---- */

static void test_position(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 5; i++)
        queue(f, i);
    fake_loop_run(&f->loop);
    fake_loop_trace(&f->loop);
    assert_int_equal(position(f, 0), 0); /* has its slot */
    assert_int_equal(position(f, 2), 1);
    assert_int_equal(position(f, 3), 2);
    assert_int_equal(position(f, 4), 3);
    assert_int_equal(position(f, 5), 0); /* never queued */
    assert_int_equal(group_position(f->group, f->tasks[4], 3), 3);
    assert_int_equal(group_position(f->group, f->tasks[4], 2), 0); /* too far to be counted */
    group_release(f->tasks[0]);
    fake_loop_run(&f->loop);
    assert_int_equal(position(f, 2), 0);
    assert_int_equal(position(f, 3), 1);
    for (unsigned i = 1; i < 5; i++) {
        group_release(f->tasks[i]);
        fake_loop_run(&f->loop);
    }
    assert_int_equal(position(f, 4), 0);
    assert_held(f, 0, 0);
}

/* ---- changing slots while tasks wait ---- */

static void test_more_slots(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 6; i++)
        queue(f, i);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t0 ok\n0 t1 ok\n");
    groups_set(&f->groups, "convert", 5);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t2 ok\n0 t3 ok\n0 t4 ok\n");
    assert_held(f, 5, 6);
    for (unsigned i = 0; i < 6; i++) {
        group_release(f->tasks[i]);
        fake_loop_run(&f->loop);
    }
    assert_held(f, 0, 0);
}

static void test_fewer_slots(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 4; i++)
        queue(f, i);
    fake_loop_run(&f->loop);
    fake_loop_trace(&f->loop);
    groups_set(&f->groups, "convert", 1);
    group_release(f->tasks[0]); /* one still runs: that is as many as may */
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "");
    assert_held(f, 1, 3);
    group_release(f->tasks[1]);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t2 ok\n");
    groups_set(&f->groups, "convert", 0); /* nothing starts any more */
    group_release(f->tasks[2]);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "");
    assert_held(f, 0, 1);
    groups_set(&f->groups, "convert", 1);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t3 ok\n");
    group_release(f->tasks[3]);
    assert_held(f, 0, 0);
}

/* ---- after a restart ---- */

/* What runs already has its slot, also where there are fewer; others wait for it. */
static void test_seize_over_capacity(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 4; i++)
        group_seize(f->group, f->tasks[i]);
    assert_held(f, 4, 4);
    assert_true(f->tasks[3]->has_slot);
    assert_true(f->tasks[3]->has_place);
    queue(f, 4);
    fake_loop_run(&f->loop);
    for (unsigned i = 0; i < 2; i++) {
        group_release(f->tasks[i]);
        fake_loop_run(&f->loop);
        assert_trace(&f->loop, "");
    }
    group_release(f->tasks[2]);
    fake_loop_run(&f->loop);
    assert_trace(&f->loop, "0 t4 ok\n");
    assert_held(f, 2, 2);
    group_release(f->tasks[3]);
    group_release(f->tasks[4]);
    assert_held(f, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_find_and_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slots_then_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_release_is_idempotent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled_in_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled_when_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_position, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_slots, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fewer_slots, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seize_over_capacity, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
