/* SPDX-License-Identifier: MIT */
/*
 * Cancelling tasks. CPython cases are named where they are ported (test_tasks). Left out:
 * test_yield_wait_does_not_shield_cancel (there is no wait yet).
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

static struct aio_next return_12(struct aio_co *co)
{
    actor_note_outcome(co);
    return aio_return(co, text_value("12"));
}

static struct aio_next body_sleep(struct aio_co *co)
{
    return aio_delegate(co, aio_sleep(AIO_BOOT, 10 * NSEC_PER_SEC), STEP(return_12));
}

/* test_tasks: test_cancel */
static void test_cancel(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_sleep), NULL);

    fake_loop_turn(loop);
    assert_true(aio_task_cancel(task, NULL));
    assert_task(task, "pending"); /* asked, not cancelled */
    fake_loop_run(loop);
    assert_task(task, "cancelled");
    assert_false(aio_task_cancel(task, NULL));
    assert_trace(loop, "");
    assert_int_equal(fake_loop_ms(loop), 0);
}

static struct aio_next yield_again(struct aio_co *co)
{
    return aio_yield(co, STEP(return_12));
}

static struct aio_next body_yield(struct aio_co *co)
{
    return aio_yield(co, STEP(yield_again));
}

/* test_tasks: test_cancel_yield */
static void test_cancel_yield(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_yield), NULL);

    fake_loop_turn(loop);
    assert_true(aio_task_cancel(task, NULL));
    fake_loop_turn(loop);
    assert_task(task, "cancelled");
    assert_trace(loop, "");
}

static struct aio_next body_await(struct aio_co *co)
{
    return aio_await(co, actor_of(co)->future, STEP(return_12));
}

/* test_tasks: test_cancel_inner_future */
static void test_cancel_inner_future(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "a", STEP(body_await), f);

    fake_loop_turn(loop);
    aio_future_cancel(f, NULL);
    fake_loop_turn(loop);
    assert_future(f, "cancelled");
    assert_task(task, "cancelled");
    assert_int_equal(aio_task_cancelling(task), 0);
}

/* test_tasks: test_cancel_both_task_and_inner_future */
static void test_cancel_both_task_and_inner_future(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    _cleanup_(value_unrefp) struct value *first = text_value("first");
    _cleanup_(value_unrefp) struct value *second = text_value("second");
    struct aio_task *task = actor_start(loop, "a", STEP(body_await), f);

    fake_loop_turn(loop);
    aio_future_cancel(f, first);
    aio_task_cancel(task, second);
    fake_loop_turn(loop);
    assert_future(f, "cancelled first");
    assert_task(task, "cancelled first"); /* the awaited one's, as it came */
    assert_false(task->must_cancel);
}

static struct aio_next catching_seen(struct aio_co *co)
{
    int err = actor_note_outcome(co);
    return aio_return(co, text_value(err == -ECANCELED ? "42" : "no"));
}

static struct aio_next body_catching(struct aio_co *co)
{
    return aio_await_try(co, actor_of(co)->future, STEP(catching_seen));
}

/* test_tasks: test_cancel_task_catching */
static void test_cancel_task_catching(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "a", STEP(body_catching), f);

    fake_loop_turn(loop);
    assert_ptr_equal(task->awaiting.future, f);
    assert_true(aio_task_cancel(task, NULL));
    assert_future(f, "cancelled");
    fake_loop_turn(loop);
    assert_task(task, "ok 42");
    assert_int_equal(aio_task_cancelling(task), 1);
    assert_trace(loop, "0 a cancelled\n");
}

static struct aio_next ignoring_seen(struct aio_co *co)
{
    actor_note_outcome(co);
    return aio_await(co, actor_of(co)->arg, STEP(actor_pass));
}

static struct aio_next body_ignoring(struct aio_co *co)
{
    return aio_await_try(co, actor_of(co)->future, STEP(ignoring_seen));
}

/* test_tasks: test_cancel_task_ignoring */
static void test_cancel_task_ignoring(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f1 = aio_future_new(&loop->sched);
    _cleanup_(aio_future_unrefp) struct aio_future *f2 = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "a", STEP(body_ignoring), f1);

    actor_of_task(task)->arg = f2;
    fake_loop_turn(loop);
    aio_task_cancel(task, NULL);
    assert_future(f1, "cancelled");
    fake_loop_turn(loop);
    assert_ptr_equal(task->awaiting.future, f2); /* one cancel, one -ECANCELED */
    aio_future_set_result(f2, text_value("42"));
    fake_loop_turn(loop);
    assert_task(task, "ok 42");
    assert_trace(loop, "0 a cancelled\n");
}

static struct aio_next body_cancel_itself(struct aio_co *co)
{
    _cleanup_(value_unrefp) struct value *reason = text_value("by itself");

    assert_true(aio_task_cancel(co->task, reason));
    assert_true(co->task->must_cancel);
    return aio_delegate(co, aio_sleep(AIO_BOOT, 100 * NSEC_PER_SEC), STEP(return_12));
}

/* test_tasks: test_cancel_current_task: what it blocks on is cancelled at once */
static void test_cancel_current_task(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_cancel_itself), NULL);

    fake_loop_turn(loop);
    assert_false(task->must_cancel);
    assert_int_equal(aio_task_phase(task), AIO_TASK_READY);
    fake_loop_turn(loop);
    assert_task(task, "cancelled by itself");
    assert_int_equal(fake_loop_ms(loop), 0);
    assert_trace(loop, "");
}

static struct aio_next body_cancel_and_return(struct aio_co *co)
{
    _cleanup_(value_unrefp) struct value *reason = text_value("at the end");

    aio_task_cancel(co->task, reason);
    return aio_return(co, text_value("12"));
}

static struct aio_next body_cancel_and_raise(struct aio_co *co)
{
    aio_task_cancel(co->task, NULL);
    return aio_raise(co, -EIO, NULL);
}

/* test_tasks: test_cancel_at_end: the value is dropped; an error stands */
static void test_cancel_at_end(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *a = actor_start(loop, "a", STEP(body_cancel_and_return), NULL);
    struct aio_task *b = actor_start(loop, "b", STEP(body_cancel_and_raise), NULL);

    fake_loop_turn(loop);
    assert_task(a, "cancelled at the end");
    assert_false(a->must_cancel);
    assert_false(aio_task_cancel(a, NULL));
    assert_task(b, "EIO");
}

static struct aio_next cancel_then_await(struct aio_co *co)
{
    aio_task_cancel(co->task, NULL);
    return aio_await(co, &actor_of(co)->task->future, STEP(return_12));
}

static struct aio_next body_cancel_then_await(struct aio_co *co)
{
    return aio_yield(co, STEP(cancel_then_await));
}

/* test_tasks: test_cancel_awaited_task */
static void test_cancel_awaited_task(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *outer = actor_start(loop, "o", STEP(body_cancel_then_await), NULL);
    struct aio_task *nested = actor_start(loop, "n", STEP(body_await), f);

    actor_of_task(outer)->task = nested;
    fake_loop_run(loop);
    assert_future(f, "cancelled");
    assert_task(nested, "cancelled");
    assert_task(outer, "cancelled");
}

/* test_tasks: test_cancel_with_message_before_starting_task: the body is never entered, what
 * the frame holds is released (the fake loop counts frames) */
static void test_cancel_before_the_first_step(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(value_unrefp) struct value *reason = text_value("my message");
    struct aio_task *task = actor_start(loop, "a", STEP(actor_end), NULL);
    struct aio_task *waiter = actor_start(loop, "w", STEP(actor_wait), &task->future);

    assert_true(aio_task_cancel(task, reason));
    assert_task(task, "pending");
    fake_loop_run(loop);
    assert_task(task, "cancelled my message");
    assert_task(waiter, "cancelled my message");
    assert_trace(loop, "0 w cancelled my message\n");
}

struct later {
    struct aio_timer timer;
    struct aio_task *task;
};

static void later_cancel(struct aio_handle *handle)
{
    aio_task_cancel(container_of(handle, struct later, timer.handle)->task, NULL);
}

/* test_tasks: test_task_cancel_sleeping_task */
static void test_cancel_sleeping_task(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *sleeper = actor_start(loop, "s", STEP(body_sleep), NULL);
    struct aio_task *doit = actor_start(loop, "d", STEP(body_catching), &sleeper->future);
    struct later later = {.task = sleeper};

    aio_timer_init(&later.timer, later_cancel);
    assert_int_equal(aio_call_at(&loop->sched, &later.timer, AIO_AWAKE,
                                 loop->now.ns[AIO_AWAKE] + 100 * NSEC_PER_MSEC),
                     0);
    fake_loop_run(loop);
    assert_task(sleeper, "cancelled");
    assert_task(doit, "ok 42");
    assert_trace(loop, "100 d cancelled\n");
}

/* test_tasks: test_task_cancel_waiter_future */
static void test_cancel_waiter_future(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "a", STEP(body_await), f);

    fake_loop_turn(loop);
    assert_ptr_equal(task->awaiting.future, f);
    aio_task_cancel(task, NULL);
    fake_loop_turn(loop);
    assert_null(task->awaiting.future);
    assert_future(f, "cancelled");
    assert_task(task, "cancelled");
    assert_int_equal(f->refs, 1);
}

static struct aio_next raise_instead(struct aio_co *co)
{
    actor_note_outcome(co);
    return aio_raise(co, -EIO, text_value("while cancelled"));
}

static struct aio_next body_raise_instead(struct aio_co *co)
{
    return aio_delegate_try(co, aio_sleep(AIO_BOOT, NSEC_PER_SEC), STEP(raise_instead));
}

/* test_tasks: test_baseexception_during_cancel */
static void test_error_during_cancel(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_raise_instead), NULL);

    fake_loop_turn(loop);
    aio_task_cancel(task, NULL);
    assert_task(task, "pending");
    fake_loop_turn(loop);
    assert_task(task, "EIO while cancelled");
    assert_trace(loop, "0 a cancelled\n");
}

static struct aio_next outer_seen(struct aio_co *co)
{
    actor_note_outcome(co);
    return aio_return(co, NULL);
}

static struct aio_next body_outer(struct aio_co *co)
{
    struct actor *actor = actor_of(co);
    struct actor *inner = actor_new(actor->loop, "inner", STEP(actor_wait), actor->future);

    return aio_delegate_try(co, &inner->co, STEP(outer_seen));
}

/* test_tasks: test_yield_future_passes_cancel: the innermost sees it first, then its caller */
static void test_cancel_passes_through_callers(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "outer", STEP(body_outer), f);

    fake_loop_turn(loop);
    aio_task_cancel(task, NULL);
    assert_future(f, "cancelled");
    fake_loop_turn(loop);
    assert_trace(loop, "0 inner cancelled\n0 outer cancelled\n");
    assert_task(task, "ok");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_cancel),
        CASE(test_cancel_yield),
        CASE(test_cancel_inner_future),
        CASE(test_cancel_both_task_and_inner_future),
        CASE(test_cancel_task_catching),
        CASE(test_cancel_task_ignoring),
        CASE(test_cancel_current_task),
        CASE(test_cancel_at_end),
        CASE(test_cancel_awaited_task),
        CASE(test_cancel_before_the_first_step),
        CASE(test_cancel_sleeping_task),
        CASE(test_cancel_waiter_future),
        CASE(test_error_during_cancel),
        CASE(test_cancel_passes_through_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
