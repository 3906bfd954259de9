/* SPDX-License-Identifier: MIT */
/*
 * The line of one user for the slots of a group: who holds, who waits, who is next, and what
 * happens to them when slots are changed or the group is paused.
 */
#include "tests/daemon/line_fixture.h"

#include "base/limits.h"

static struct lane *lane(const struct fixture *f)
{
    assert_false(list_empty(&f->group->lanes));
    return container_of(f->group->lanes.next, struct lane, node);
}

static void pause_(struct fixture *f, bool paused)
{
    groups_command(&f->groups, &(struct store_group){.name = "convert", .paused = paused});
    groups_sweep(&f->groups);
    run(f);
}

/* ---- slots and places ---- */

static void test_slots_then_places(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 12; i++)
        queue(f, i);
    run(f);
    assert_trace(&f->loop, "0 t0 ok\n0 t1 ok\n");
    assert_held(f, 2, 2 + LIMIT_AHEAD); /* ten are ahead as far as they may, two wait */
    assert_int_equal(lane(f)->ahead, LIMIT_AHEAD);
    assert_int_equal(lane(f)->waiting, LIMIT_AHEAD + 2);
    assert_sound(f);

    end(f, 0);
    assert_trace(&f->loop, "0 t2 ok\n");
    assert_held(f, 2, 1 + LIMIT_AHEAD); /* enough are ahead: its place is given later */
    assert_int_equal(lane(f)->waiting, LIMIT_AHEAD + 1);
    for (unsigned i = 1; i < LIMIT_AHEAD / 2; i++)
        end(f, i);
    assert_held(f, 2, 2 + LIMIT_AHEAD / 2 + 2); /* now the two that are left get one at once */
    assert_int_equal(lane(f)->waiting, LIMIT_AHEAD / 2 + 2);
    for (unsigned i = LIMIT_AHEAD / 2; i < 12; i++) {
        assert_sound(f);
        end(f, i);
    }
    assert_trace(&f->loop, "0 t3 ok\n0 t4 ok\n0 t5 ok\n0 t6 ok\n0 t7 ok\n0 t8 ok\n0 t9 ok\n"
                           "0 t10 ok\n0 t11 ok\n");
    assert_held(f, 0, 0);
    assert_true(list_empty(&f->group->lanes));
}

static void test_release_is_idempotent(void **state)
{
    struct fixture *f = *state;
    queue(f, 0);
    queue(f, 1);
    run(f);
    fake_loop_trace(&f->loop);
    assert_held(f, 2, 2);
    end(f, 0);
    end(f, 0);
    end(f, 5); /* holds nothing */
    line_leave(f->tasks[5]);
    assert_held(f, 1, 1);
    end(f, 1);
    assert_held(f, 0, 0);
}

static void test_cancelled_in_line(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 12; i++)
        queue(f, i);
    run(f);
    fake_loop_trace(&f->loop);
    cancel(f, 3);  /* one with a place */
    cancel(f, 11); /* one without */
    run(f);
    assert_trace(&f->loop, "0 t3 cancelled\n0 t11 cancelled\n");
    assert_held(f, 2, 1 + LIMIT_AHEAD); /* t10 gets the place of t3 later */
    assert_int_equal(lane(f)->waiting, LIMIT_AHEAD);
    assert_int_equal(position(f, 3), 0);
    for (unsigned i = 0; i < 12; i++) {
        assert_sound(f);
        end(f, i);
    }
    assert_held(f, 0, 0);
}

/* A permit that reaches a task in the same turn as its cancel goes on to the next one. */
static void test_cancelled_when_given(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 5; i++)
        queue(f, i);
    run(f);
    fake_loop_trace(&f->loop);
    line_release(f->tasks[0]);
    cancel(f, 2);
    run(f);
    assert_trace(&f->loop, "0 t2 cancelled\n0 t3 ok\n");
    assert_held(f, 2, 3);
    assert_sound(f);
    end(f, 1);
    end(f, 3);
    assert_trace(&f->loop, "0 t4 ok\n");
    end(f, 4);
    assert_held(f, 0, 0);
}

/* The same for a place. */
static void test_cancelled_when_given_a_place(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 12; i++)
        queue(f, i);
    run(f);
    for (unsigned i = 0; i + 1 < LIMIT_AHEAD / 2; i++)
        end(f, i);
    fake_loop_trace(&f->loop);
    line_release(f->tasks[LIMIT_AHEAD / 2 - 1]); /* gives t10 and t11 a place */
    cancel(f, 10);
    run(f);
    assert_trace(&f->loop, "0 t5 ok\n0 t10 cancelled\n");
    assert_true(f->tasks[11]->has_place);
    assert_sound(f);
    for (unsigned i = LIMIT_AHEAD / 2; i < 12; i++)
        end(f, i);
    assert_held(f, 0, 0);
}

/* Who comes while a permit is on its way to another does not overtake. */
static void test_nobody_overtakes(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 3; i++)
        queue(f, i);
    run(f);
    fake_loop_trace(&f->loop);
    line_release(f->tasks[0]); /* given to t2, whose step comes later */
    line_release(f->tasks[1]); /* free */
    queue(f, 3);
    run(f);
    assert_trace(&f->loop, "0 t2 ok\n0 t3 ok\n");
    assert_sound(f);
    end(f, 2);
    end(f, 3);
}

/* ---- the position ---- */

static void test_position(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 5; i++)
        queue(f, i);
    run(f);
    fake_loop_trace(&f->loop);
    assert_int_equal(position(f, 0), 0); /* has its slot */
    assert_int_equal(position(f, 2), 1);
    assert_int_equal(position(f, 3), 2);
    assert_int_equal(position(f, 4), 3);
    assert_int_equal(position(f, 5), 0); /* never queued */
    assert_int_equal(line_position(f->group, f->tasks[4], 3), 3);
    assert_int_equal(line_position(f->group, f->tasks[4], 2), 0); /* too far to be counted */
    end(f, 0);
    assert_int_equal(position(f, 2), 0);
    assert_int_equal(position(f, 3), 1);
    for (unsigned i = 1; i < 5; i++)
        end(f, i);
    assert_int_equal(position(f, 4), 0);
    assert_held(f, 0, 0);
}

/* ---- changing slots while tasks wait ---- */

static void test_more_slots(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 6; i++)
        queue(f, i);
    run(f);
    assert_trace(&f->loop, "0 t0 ok\n0 t1 ok\n");
    groups_set(&f->groups, "convert", 5);
    run(f);
    assert_trace(&f->loop, "0 t2 ok\n0 t3 ok\n0 t4 ok\n");
    assert_held(f, 5, 6);
    for (unsigned i = 0; i < 6; i++)
        end(f, i);
    assert_held(f, 0, 0);
}

static void test_fewer_slots(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 4; i++)
        queue(f, i);
    run(f);
    fake_loop_trace(&f->loop);
    groups_set(&f->groups, "convert", 1);
    end(f, 0); /* one still runs: that is as many as may */
    assert_trace(&f->loop, "");
    assert_held(f, 1, 3);
    end(f, 1);
    assert_trace(&f->loop, "0 t2 ok\n");
    end(f, 2);
    end(f, 3);
    assert_held(f, 0, 0);
}

static void test_paused(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 4; i++)
        queue(f, i);
    run(f);
    fake_loop_trace(&f->loop);
    pause_(f, true);
    assert_held(f, 2, 4); /* what is held goes on */
    end(f, 0);
    end(f, 1);
    queue(f, 4); /* nothing is recorded ahead, either */
    run(f);
    assert_trace(&f->loop, "");
    assert_held(f, 0, 2);
    assert_int_equal(position(f, 4), 3);
    groups_set(&f->groups, "convert", 3); /* the file does not wake it */
    run(f);
    assert_trace(&f->loop, "");
    cancel(f, 3);
    run(f);
    assert_trace(&f->loop, "0 t3 cancelled\n");
    assert_sound(f);
    queue(f, 5);
    pause_(f, false);
    assert_trace(&f->loop, "0 t2 ok\n0 t4 ok\n0 t5 ok\n");
    for (unsigned i = 2; i < 6; i++)
        end(f, i);
    assert_held(f, 0, 0);
}

/* ---- after a restart ---- */

/* What runs already has its slot, also where there are fewer; others wait for it. */
static void test_seize_over_capacity(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 4; i++)
        line_seize(f->tasks[i]);
    assert_held(f, 4, 4);
    assert_true(f->tasks[3]->has_slot);
    assert_true(f->tasks[3]->has_place);
    queue(f, 4);
    run(f);
    for (unsigned i = 0; i < 2; i++) {
        end(f, i);
        assert_trace(&f->loop, "");
    }
    assert_sound(f);
    end(f, 2);
    assert_trace(&f->loop, "0 t4 ok\n");
    assert_held(f, 2, 2);
    end(f, 3);
    end(f, 4);
    assert_held(f, 0, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, line_setup, line_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_slots_then_places),
        TEST(test_release_is_idempotent),
        TEST(test_cancelled_in_line),
        TEST(test_cancelled_when_given),
        TEST(test_cancelled_when_given_a_place),
        TEST(test_nobody_overtakes),
        TEST(test_position),
        TEST(test_more_slots),
        TEST(test_fewer_slots),
        TEST(test_paused),
        TEST(test_seize_over_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
