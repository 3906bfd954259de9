/* SPDX-License-Identifier: MIT */
/*
 * Several users in line for the slots of a group: each gets its turn, however long the queue of
 * another is, and what status says of a position comes true.
 */
#include "tests/daemon/line_fixture.h"

#include <stdlib.h>

#include "base/limits.h"

/* Whoever runs ends, one after the other in the order of their start, until nobody runs. */
static void end_all(struct fixture *f, unsigned from)
{
    while (from < f->started) {
        assert_sound(f);
        end(f, f->order[from++]);
    }
    assert_held(f, 0, 0);
}

static void test_in_turns(void **state)
{
    struct fixture *f = *state;
    groups_set(&f->groups, "convert", 1);
    for (unsigned i = 0; i < 20; i++) /* far more than are recorded ahead */
        queue_as(f, i, 0);
    run(f);
    for (unsigned i = 20; i < 23; i++)
        queue_as(f, i, 1);
    run(f);
    queue_as(f, 30, 2);
    run(f);
    assert_int_equal(position(f, 20), 2);
    assert_int_equal(position(f, 30), 3);
    assert_int_equal(position(f, 22), 7); /* t1 t20 t30 t2 t21 t3 */
    end_all(f, 0);
    assert_trace(&f->loop, "0 t0 ok\n0 t1 ok\n0 t20 ok\n0 t30 ok\n0 t2 ok\n0 t21 ok\n0 t3 ok\n"
                           "0 t22 ok\n0 t4 ok\n0 t5 ok\n0 t6 ok\n0 t7 ok\n0 t8 ok\n0 t9 ok\n"
                           "0 t10 ok\n0 t11 ok\n0 t12 ok\n0 t13 ok\n0 t14 ok\n0 t15 ok\n"
                           "0 t16 ok\n0 t17 ok\n0 t18 ok\n0 t19 ok\n");
}

/* Nobody waits behind what another user has recorded ahead: there is always a place for one. */
static void test_a_place_for_each(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 30; i++)
        queue_as(f, i, 0);
    run(f);
    assert_held(f, 2, 2 + LIMIT_AHEAD);
    for (unsigned u = 1; u < LINE_USERS; u++) {
        queue_as(f, 30 + 2 * u, u);
        queue_as(f, 31 + 2 * u, u);
    }
    run(f);
    assert_held(f, 2, 2 + LIMIT_AHEAD + LINE_USERS - 1);
    for (unsigned u = 1; u < LINE_USERS; u++) {
        assert_true(f->tasks[30 + 2 * u]->has_place);
        assert_false(f->tasks[31 + 2 * u]->has_place);
    }
    end_all(f, 0);
}

/* Who has just been given a slot, though nobody waited, is the last one in the next round. */
static void test_a_slot_that_was_free_counts(void **state)
{
    struct fixture *f = *state;
    queue_as(f, 0, 0);
    queue_as(f, 1, 1);
    run(f);
    for (unsigned i = 2; i < 6; i++)
        queue_as(f, i, i % 2); /* t2, t4 of the first, t3, t5 of the second */
    run(f);
    end(f, 0);
    end(f, 1);
    assert_trace(&f->loop, "0 t0 ok\n0 t1 ok\n0 t2 ok\n0 t3 ok\n");
    end_all(f, 2);
}

/* ---- as many as a user may ---- */

static void test_limit_of_a_user(void **state)
{
    struct fixture *f = *state;
    f->groups.running_per_uid = 1;
    for (unsigned i = 0; i < 4; i++)
        queue_as(f, i, 0);
    queue_as(f, 4, 1);
    run(f);
    assert_trace(&f->loop, "0 t0 ok\n0 t4 ok\n"); /* t1 is passed */
    assert_int_equal(position(f, 1), 0);          /* nobody can tell */
    queue_as(f, 5, 2);
    run(f);
    assert_int_equal(position(f, 5), 1); /* those who may not run are not before it */
    assert_sound(f);
    end(f, 4);
    assert_trace(&f->loop, "0 t5 ok\n");
    end(f, 5);
    assert_held(f, 1, 2); /* one slot stays free; one of those that wait is ahead */
    end(f, 0);
    assert_trace(&f->loop, "0 t1 ok\n");
    end_all(f, 3);
}

static void test_no_limit_for_the_owner(void **state)
{
    struct fixture *f = *state;
    f->groups.running_per_uid = 1;
    f->users[0].unlimited = true;
    queue_as(f, 0, 0);
    queue_as(f, 1, 0);
    run(f);
    assert_trace(&f->loop, "0 t0 ok\n0 t1 ok\n");
    end_all(f, 0);
}

/* The limit is one for all groups: what ends in one lets a task of another run. */
static void test_limit_over_groups(void **state)
{
    struct fixture *f = *state;
    struct group *other = groups_set(&f->groups, "other", 2);
    f->groups.running_per_uid = 1;
    queue_as(f, 0, 0);
    run(f);
    f->tasks[1]->group = other;
    queue_as(f, 1, 0);
    run(f);
    assert_trace(&f->loop, "0 t0 ok\n");
    end(f, 0);
    assert_trace(&f->loop, "0 t1 ok\n");
    assert_int_equal(other->slots_held, 1);
    end(f, 1);
    assert_int_equal(f->users[0].running, 0);
}

static void test_more_by_configuration(void **state)
{
    struct fixture *f = *state;
    f->groups.running_per_uid = 1;
    queue_as(f, 0, 0);
    queue_as(f, 1, 0);
    run(f);
    assert_trace(&f->loop, "0 t0 ok\n");
    f->groups.running_per_uid = 2;
    groups_sweep(&f->groups);
    run(f);
    assert_trace(&f->loop, "0 t1 ok\n");
    end_all(f, 0);
}

/* ---- any number of anything ---- */

/* A generator of the test's own: the same numbers everywhere. */
static unsigned next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*seed >> 33);
}

/* Everybody starts in the order of the positions that were told. */
static void check_positions(struct fixture *f)
{
    unsigned told[LINE_TASKS + 1] = {0}, n = 0;
    for (unsigned i = 0; i < LINE_TASKS; i++) {
        uint32_t at = position(f, i);
        if (!at)
            continue;
        assert_true(at <= LINE_TASKS && !told[at]);
        told[at] = i + 1;
        n++;
    }
    assert_int_equal(n, f->group->waiting);
    unsigned begin = f->started;
    for (unsigned i = 0; i < LINE_TASKS; i++)
        if (f->tasks[i]->has_slot)
            end(f, i);
    while (f->started < begin + n)
        for (unsigned i = begin; i < f->started; i++)
            end(f, f->order[i % LINE_TASKS]);
    for (unsigned at = 1; at <= n; at++)
        assert_int_equal(f->order[(begin + at - 1) % LINE_TASKS], told[at] - 1);
    for (unsigned i = 0; i < LINE_TASKS; i++)
        end(f, i);
    assert_held(f, 0, 0);
}

static void shake(struct fixture *f, uint64_t *seed)
{
    unsigned i = next_random(seed) % LINE_TASKS;
    const struct task *t = f->tasks[i];
    switch (next_random(seed) % 8) {
    case 0:
        groups_set(&f->groups, "convert", 1 + next_random(seed) % 4);
        break;
    case 1:
        if (waits(f, i))
            cancel(f, i);
        break;
    case 2:
    case 3:
        if (t->has_slot)
            line_release(f->tasks[i]);
        break;
    default:
        if (!t->has_slot && !waits(f, i))
            queue_as(f, i, next_random(seed) % LINE_USERS);
    }
    if (next_random(seed) % 3 > 0)
        return; /* and something else in the same turn */
    run(f);
    assert_sound(f);
}

static void test_shaken(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned n = 0; n < 100; n++)
            shake(f, &seed);
        run(f);
        assert_sound(f);
        fake_loop_trace(&f->loop);
        check_positions(f);
        fake_loop_trace(&f->loop);
    }
}

/* The same with a limit: what is handed out is sound, though no position is promised. */
static void test_shaken_with_a_limit(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 2;
    f->groups.running_per_uid = 1;
    for (unsigned n = 0; n < 20000; n++)
        shake(f, &seed);
    run(f);
    for (unsigned i = 0; i < LINE_TASKS; i++)
        if (waits(f, i))
            cancel(f, i);
    run(f);
    for (unsigned i = 0; i < LINE_TASKS; i++)
        end(f, i);
    assert_held(f, 0, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, line_setup, line_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_in_turns),
        TEST(test_a_place_for_each),
        TEST(test_a_slot_that_was_free_counts),
        TEST(test_limit_of_a_user),
        TEST(test_no_limit_for_the_owner),
        TEST(test_limit_over_groups),
        TEST(test_more_by_configuration),
        TEST(test_shaken),
        TEST(test_shaken_with_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
