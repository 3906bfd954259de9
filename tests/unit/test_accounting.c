/* SPDX-License-Identifier: MIT */
/*
 * What status and traces tell of a task: phase, names, where its time went. CPython cases are
 * named where they are ported (test_tasks).
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

/* test_tasks: test_task_repr_wait_for: what it does and where it waits can be told */
static void test_phase_and_names(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = start_sleeper(loop, "a", 10);

    assert_int_equal(aio_task_phase(task), AIO_TASK_READY);
    assert_string_equal(aio_task_step_name(task), "actor_begin");
    assert_string_equal(aio_task_function_name(task), "actor");
    fake_loop_turn(loop);
    assert_int_equal(aio_task_phase(task), AIO_TASK_SUSPENDED);
    assert_string_equal(aio_task_step_name(task), "sleep_end");
    assert_string_equal(aio_task_function_name(task), "sleep");
    fake_loop_pass(loop, 10 * NSEC_PER_MSEC);
    fake_loop_turn(loop); /* the timer is due and has woken it */
    assert_int_equal(aio_task_phase(task), AIO_TASK_READY);
    fake_loop_turn(loop);
    assert_int_equal(aio_task_phase(task), AIO_TASK_DONE);
    assert_null(aio_task_step_name(task));
    assert_null(aio_task_function_name(task));
    assert_trace(loop, "10 a ends\n");
}

/* One clock read a step: the end of one is the start of the next; a turn starts for nothing. */
static void test_accounting(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *a = actor_start(loop, "a", STEP(actor_yields), NULL);
    struct aio_task *b = actor_start(loop, "b", STEP(actor_yields), NULL);

    actor_of_task(a)->n = 3;
    actor_of_task(b)->n = 1;
    loop->clock_reads = 0;
    fake_loop_pass(loop, 4 * NSEC_PER_MSEC); /* both wait for their first turn */
    loop->read_ns = 2 * NSEC_PER_MSEC;
    while (fake_loop_turn(loop))
        ;
    assert_int_equal(loop->clock_reads, 4);
    assert_int_equal(loop->sched.steps, 4);
    assert_int_equal(loop->sched.run_ns, 8 * NSEC_PER_MSEC);
    assert_int_equal(loop->sched.longest_ns, 2 * NSEC_PER_MSEC);
    assert_int_equal(a->stats.steps, 3);
    assert_int_equal(a->stats.run_ns, 6 * NSEC_PER_MSEC);
    assert_int_equal(a->stats.longest_ns, 2 * NSEC_PER_MSEC);
    assert_int_equal(a->stats.ready_ns, 6 * NSEC_PER_MSEC); /* 4, and b's step */
    assert_int_equal(b->stats.ready_ns, 6 * NSEC_PER_MSEC); /* 4, and a's step */
    assert_int_equal(b->since_ns, loop->now.ns[AIO_AWAKE] - 4 * NSEC_PER_MSEC);
    assert_trace(loop, "4 a 3\n6 b 1\n8 a 2\n10 a 1\n");
}

/* What wakes a task between turns finds the time by itself, once. */
static void test_accounting_of_a_wake_between_turns(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *a = actor_start(loop, "a", STEP(actor_wait), f);
    struct aio_task *b = actor_start(loop, "b", STEP(actor_wait), f);

    fake_loop_turn(loop);
    loop->clock_reads = 0;
    fake_loop_pass(loop, 1000 * NSEC_PER_MSEC); /* asleep */
    aio_future_set_result(f, NULL);
    assert_int_equal(loop->clock_reads, 1);
    fake_loop_pass(loop, 3 * NSEC_PER_MSEC);
    fake_loop_turn(loop);
    assert_int_equal(loop->clock_reads, 3);
    assert_int_equal(a->stats.ready_ns, 3 * NSEC_PER_MSEC);
    assert_int_equal(b->stats.ready_ns, 3 * NSEC_PER_MSEC);
    fake_loop_trace(loop);
}

static void note_step(void *ctx, const struct aio_task *task, const char *text)
{
    (void)task;
    fake_loop_note(ctx, "%s", text);
}

static void test_trace_of_steps(void **state)
{
    struct fake_loop *loop = *state;

    start_sleeper(loop, "a", 10);
    loop->sched.trace = note_step;
    loop->sched.trace_ctx = loop;
    fake_loop_run(loop);
    assert_trace(loop, "0 actor_begin\n0 body_sleep\n0 sleep_begin\n10 sleep_end\n"
                       "10 a ends\n10 actor_end\n");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_phase_and_names),
        CASE(test_accounting),
        CASE(test_accounting_of_a_wake_between_turns),
        CASE(test_trace_of_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
