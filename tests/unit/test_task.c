/* SPDX-License-Identifier: MIT */
/*
 * The task core but for cancellation. CPython cases are named where they are ported
 * (test_tasks). Left out: test_error_in_call_soon (call_soon can't fail).
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

static struct aio_next body_return_abc(struct aio_co *co)
{
    return aio_return(co, text_value("abc"));
}

static struct aio_next body_raise(struct aio_co *co)
{
    return aio_raise(co, -EPIPE, text_value("broken"));
}

/* Awaits ->task's future, plainly, and ends with its value. */
static struct aio_next body_wait_task(struct aio_co *co)
{
    return aio_await(co, &actor_of(co)->task->future, STEP(actor_pass));
}

/* test_tasks: test_task_basics */
static void test_basics(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *inner = actor_start(loop, "i", STEP(body_return_abc), NULL);
    struct aio_task *outer = actor_start(loop, "o", STEP(body_wait_task), NULL);

    actor_of_task(outer)->task = inner;
    assert_task(outer, "pending"); /* create_task only schedules */
    fake_loop_run(loop);
    assert_task(inner, "ok abc");
    assert_task(outer, "ok abc");
}

static void test_an_error_passes_up(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *inner = actor_start(loop, "i", STEP(body_raise), NULL);
    struct aio_task *outer = actor_start(loop, "o", STEP(body_wait_task), NULL);

    actor_of_task(outer)->task = inner;
    fake_loop_run(loop);
    assert_task(inner, "EPIPE broken");
    assert_task(outer, "EPIPE broken");
    assert_trace(loop, "");
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

/* test_tasks: test_step_result_future */
static void test_step_awaits_a_future(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "a", STEP(actor_wait), f);

    fake_loop_turn(loop);
    assert_ptr_equal(task->awaiting.future, f);
    assert_int_equal(f->refs, 2); /* referenced while it is awaited */
    aio_future_set_result(f, text_value("x"));
    fake_loop_turn(loop);
    assert_null(task->awaiting.future);
    assert_int_equal(f->refs, 1);
    assert_trace(loop, "0 a ok x\n");
    assert_task(task, "ok x");
}

static struct aio_next body_await_itself(struct aio_co *co)
{
    return aio_await_try(co, &co->task->future, STEP(actor_wait));
}

static struct aio_next itself_seen(struct aio_co *co)
{
    actor_note_outcome(co);
    return actor_pass(co);
}

static struct aio_next body_await_itself_try(struct aio_co *co)
{
    return aio_await_try(co, &co->task->future, STEP(itself_seen));
}

/* test_tasks: test_task_awaits_on_itself: the error comes with the next step */
static void test_awaiting_itself(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_await_itself_try), NULL);

    fake_loop_turn(loop);
    assert_task(task, "pending");
    assert_trace(loop, "");
    assert_int_equal(aio_task_phase(task), AIO_TASK_READY);
    fake_loop_turn(loop);
    assert_trace(loop, "0 a EDEADLK\n");
    assert_task(task, "EDEADLK");
}

/* … and it may be caught. */
static void test_awaiting_itself_caught(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "a", STEP(body_await_itself), f);

    aio_future_set_result(f, text_value("x"));
    fake_loop_turns(loop, 2);
    assert_task(task, "ok x");
    assert_trace(loop, "0 a ok x\n");
}

static void test_awaiting_a_future_of_another_scheduler(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_sched other;
    aio_sched_init(&other, NULL);
    struct aio_future *f = aio_future_new(&other);
    struct aio_task *task = actor_start(loop, "a", STEP(actor_wait), f);

    fake_loop_turns(loop, 2);
    assert_task(task, "EINVAL");
    assert_trace(loop, "0 a EINVAL\n");
    aio_future_unref(f);
    aio_sched_done(&other);
}

/* test_tasks: test_task_set_methods */
static void test_set_methods_are_refused(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_return_abc), NULL);

    assert_int_equal(aio_future_set_result(&task->future, text_value("x")), -EPERM);
    assert_int_equal(aio_future_set_error(&task->future, -EIO, text_value("x")), -EPERM);
    fake_loop_turn(loop);
    assert_task(task, "ok abc");
}

static struct aio_next body_note_current(struct aio_co *co)
{
    struct actor *actor = actor_of(co);

    assert_ptr_equal(aio_task_current(aio_co_sched(co)), co->task);
    actor_note(co, "%d", actor->n);
    return --actor->n > 0 ? aio_yield(co, STEP(body_note_current)) : aio_return(co, NULL);
}

/* test_tasks: test_current_task_with_interleaving_tasks */
static void test_current_task_interleaving(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *a = actor_start(loop, "a", STEP(body_note_current), NULL);
    struct aio_task *b = actor_start(loop, "b", STEP(body_note_current), NULL);

    actor_of_task(a)->n = 2;
    actor_of_task(b)->n = 2;
    assert_null(aio_task_current(&loop->sched));
    fake_loop_run(loop);
    assert_null(aio_task_current(&loop->sched));
    assert_trace(loop, "0 a 2\n0 b 2\n0 a 1\n0 b 1\n");
}

/* test_tasks: test_log_destroyed_pending_task: it can't be destroyed */
static void test_a_pending_task_never_vanishes(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_future *f = aio_future_new(&loop->sched);
    struct actor *actor = actor_new(loop, "a", STEP(actor_wait), f);
    struct aio_task *task = aio_task_new(&loop->sched, &actor->co);

    assert_null(aio_task_unref(task));
    fake_loop_turns(loop, 3);
    assert_int_equal(loop->sched.tasks, 1);
    assert_true(aio_future_set_result(f, NULL) == 0);
    aio_future_unref(f);
    fake_loop_turn(loop);
    assert_trace(loop, "0 a ok\n");
    assert_int_equal(loop->sched.tasks, 0);
}

static struct aio_next body_main(struct aio_co *co)
{
    actor_note(co, "awaits a");
    return aio_await_try(co, &actor_of(co)->task->future, STEP(actor_end));
}

/* Awaiting a task does not run it next: what is ready keeps its order. */
static void test_order_of_creation_is_order_of_first_steps(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task[4];

    task[0] = actor_start(loop, "main", STEP(body_main), NULL);
    task[1] = actor_start(loop, "c", STEP(actor_yields), NULL);
    task[2] = actor_start(loop, "b", STEP(actor_yields), NULL);
    task[3] = actor_start(loop, "a", STEP(actor_yields), NULL);
    actor_of_task(task[0])->task = task[3];
    for (int i = 1; i < 4; i++)
        actor_of_task(task[i])->n = 1;
    fake_loop_run(loop);
    assert_trace(loop, "0 main awaits a\n0 c 1\n0 b 1\n0 a 1\n0 main ends\n");
}

/* Several tasks that await one are woken in the order in which they awaited. */
static void test_waiters_wake_in_order(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *inner = start_sleeper(loop, "inner", 20);

    actor_start(loop, "a", STEP(actor_wait), &inner->future);
    actor_start(loop, "b", STEP(actor_wait), &inner->future);
    actor_start(loop, "c", STEP(actor_wait), &inner->future);
    fake_loop_run(loop);
    assert_trace(loop, "20 inner ends\n20 a ok\n20 b ok\n20 c ok\n");
}

static struct aio_next body_many_done(struct aio_co *co)
{
    struct actor *actor = actor_of(co);

    return actor->n-- > 0 ? aio_await(co, actor->future, STEP(body_many_done))
                          : aio_return(co, NULL);
}

/* A future that is done does not yield to the loop. */
static void test_awaiting_what_is_done_takes_no_turn(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "a", STEP(body_many_done), f);

    actor_of_task(task)->n = 1000;
    aio_future_set_result(f, text_value("x"));
    fake_loop_turn(loop);
    assert_task(task, "ok");
    assert_int_equal(task->stats.steps, 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_basics),
        CASE(test_an_error_passes_up),
        CASE(test_step_awaits_a_future),
        CASE(test_awaiting_itself),
        CASE(test_awaiting_itself_caught),
        CASE(test_awaiting_a_future_of_another_scheduler),
        CASE(test_set_methods_are_refused),
        CASE(test_current_task_interleaving),
        CASE(test_a_pending_task_never_vanishes),
        CASE(test_order_of_creation_is_order_of_first_steps),
        CASE(test_waiters_wake_in_order),
        CASE(test_awaiting_what_is_done_takes_no_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
