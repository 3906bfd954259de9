/* SPDX-License-Identifier: MIT */
/*
 * Sleeping, until and for, on the clocks. CPython cases are named where they are ported
 * (test_tasks).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/aio/sleep.h"
#include "tests/support/actor.h"

static int setup(void **state)
{
    static struct fake_loop loop;
    fake_loop_init(&loop);
    *state = &loop;
    return 0;
}

static int teardown(void **state)
{
    fake_loop_done(*state);
    return 0;
}

static struct aio_next body_sleep(struct aio_co *co)
{
    struct aio_co *sleep = aio_sleep(AIO_BOOT, (uint64_t)actor_of(co)->n * NSEC_PER_MSEC);
    return aio_delegate(co, sleep, STEP(actor_end));
}

static struct aio_task *start_sleeper(struct fake_loop *loop, const char *name, int ms)
{
    struct aio_task *task = actor_start(loop, name, STEP(body_sleep), NULL);
    actor_of_task(task)->n = ms;
    return task;
}

/* test_tasks: test_sleep */
static void test_sleep(void **state)
{
    struct fake_loop *loop = *state;

    start_sleeper(loop, "a", 100);
    start_sleeper(loop, "b", 50);
    start_sleeper(loop, "c", 100);
    fake_loop_run(loop);
    assert_trace(loop, "50 b ends\n100 a ends\n100 c ends\n");
}

/* test_tasks: test_sleep_cancel */
static void test_sleep_cancel(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = start_sleeper(loop, "a", 10000);

    fake_loop_turn(loop);
    assert_int_equal(loop->sched.timers[AIO_BOOT].len, 1);
    assert_true(aio_task_cancel(task, NULL));
    fake_loop_turn(loop);
    assert_task(task, "cancelled");
    assert_int_equal(loop->sched.timers[AIO_BOOT].len, 0);
}

/* test_tasks: test_sleep_zero: one turn, no timer */
static void test_sleep_zero(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = start_sleeper(loop, "a", 0);

    fake_loop_turn(loop);
    assert_task(task, "pending");
    assert_int_equal(loop->sched.timers[AIO_BOOT].len, 0);
    fake_loop_turn(loop);
    assert_task(task, "ok");
    assert_trace(loop, "0 a ends\n");
}

static void test_sleep_until(void **state)
{
    struct fake_loop *loop = *state;
    uint64_t now = loop->now.ns[AIO_WALL];
    struct aio_co *past = aio_sleep_until(AIO_WALL, now - 1);
    struct aio_co *later = aio_sleep_until(AIO_WALL, now + 5 * NSEC_PER_MSEC);
    struct aio_task *a = fake_loop_keep(loop, aio_task_new(&loop->sched, past));
    struct aio_task *b = fake_loop_keep(loop, aio_task_new(&loop->sched, later));

    fake_loop_turn(loop);
    assert_task(a, "pending");
    fake_loop_turn(loop);
    assert_task(a, "ok");
    assert_task(b, "pending");
    fake_loop_run(loop);
    assert_task(b, "ok");
    assert_int_equal(fake_loop_ms(loop), 5);
}

static void test_sleep_longer_than_the_clock(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_co *sleep = aio_sleep(AIO_WALL, UINT64_MAX);
    struct aio_task *task = fake_loop_keep(loop, aio_task_new(&loop->sched, sleep));

    fake_loop_turns(loop, 3);
    assert_task(task, "pending");
    assert_true(aio_sched_next(&loop->sched, AIO_WALL) < UINT64_MAX);
    aio_task_cancel(task, NULL);
    fake_loop_turn(loop);
    assert_task(task, "cancelled");
}

/* Steps before it in the turn took their time: a sleep is never shorter than asked for. */
static void test_sleep_counts_from_its_first_step(void **state)
{
    struct fake_loop *loop = *state;

    actor_start(loop, "slow", STEP(actor_end), NULL);
    start_sleeper(loop, "a", 10);
    loop->read_ns = 7 * NSEC_PER_MSEC; /* each step takes this long */
    fake_loop_turn(loop);
    loop->read_ns = 0;
    fake_loop_run(loop);
    assert_trace(loop, "0 slow ends\n17 a ends\n");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sleep),
        CASE(test_sleep_cancel),
        CASE(test_sleep_zero),
        CASE(test_sleep_until),
        CASE(test_sleep_longer_than_the_clock),
        CASE(test_sleep_counts_from_its_first_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
