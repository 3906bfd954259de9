/* SPDX-License-Identifier: MIT */
/*
 * Counting and taking back cancellations, and cancellations that meet something else: a
 * result, another waiter, a circle. CPython cases are named where they are ported (test_tasks).
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

static struct aio_co *sleep_10s(void)
{
    return aio_sleep(AIO_BOOT, 10 * NSEC_PER_SEC);
}

static struct aio_next body_sleep(struct aio_co *co)
{
    return aio_delegate(co, sleep_10s(), STEP(actor_end));
}

/* test_tasks: test_cancelling */
static void test_cancelling(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_sleep), NULL);

    assert_int_equal(aio_task_cancelling(task), 0);
    assert_true(aio_task_cancel(task, NULL));
    assert_int_equal(aio_task_cancelling(task), 1);
    assert_true(aio_task_cancel(task, NULL));
    assert_int_equal(aio_task_cancelling(task), 2);
    fake_loop_run(loop);
    assert_task(task, "cancelled");
    assert_int_equal(aio_task_cancelling(task), 2);
    assert_false(aio_task_cancel(task, NULL));
    assert_int_equal(aio_task_cancelling(task), 2);
}

static struct aio_next uncancel_seen(struct aio_co *co)
{
    if (actor_note_outcome(co) == -ECANCELED)
        aio_task_uncancel(co->task);
    return aio_delegate(co, sleep_10s(), STEP(actor_end));
}

static struct aio_next body_uncancel(struct aio_co *co)
{
    return aio_delegate_try(co, sleep_10s(), STEP(uncancel_seen));
}

/* test_tasks: test_uncancel_basic */
static void test_uncancel_basic(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_uncancel), NULL);

    fake_loop_turn(loop);
    assert_true(aio_task_cancel(task, NULL));
    assert_int_equal(aio_task_cancelling(task), 1);
    fake_loop_turn(loop);
    assert_task(task, "pending");
    assert_int_equal(aio_task_cancelling(task), 0);
    assert_true(aio_task_cancel(task, NULL));
    assert_int_equal(aio_task_cancelling(task), 1);
    fake_loop_turn(loop);
    assert_task(task, "cancelled");
    assert_int_equal(aio_task_uncancel(task), 0);
    assert_int_equal(aio_task_uncancel(task), 0); /* never below */
    assert_task(task, "cancelled");
    assert_trace(loop, "0 a cancelled\n");
}

/* A block with a timeout, as asyncio.timeout is built from cancel and uncancel. */
struct request {
    struct aio_co co;
    struct aio_timer timer;
    struct fake_loop *loop;
    uint64_t sleep_ms;
    uint64_t timeout_ms;
    bool timed_out;
};

static void request_timeout(struct aio_handle *handle)
{
    struct request *request = container_of(handle, struct request, timer.handle);

    request->timed_out = true;
    aio_task_cancel(request->co.task, NULL);
}

static struct aio_next request_end(struct aio_co *co)
{
    fake_loop_note(container_of(co, struct request, co)->loop, "outer code");
    return aio_return(co, NULL);
}

static struct aio_next request_left(struct aio_co *co)
{
    struct request *request = container_of(co, struct request, co);
    int err = aio_outcome(co, NULL);

    aio_timer_cancel(aio_co_sched(co), &request->timer);
    fake_loop_note(request->loop, "block %s", outcome_text(err, NULL));
    if (request->timed_out && aio_task_uncancel(co->task) == 0 && err == -ECANCELED)
        fake_loop_note(request->loop, "timeout");
    else if (err < 0)
        return aio_raise(co, err, NULL);
    return aio_yield(co, STEP(request_end));
}

static struct aio_next request_begin(struct aio_co *co)
{
    struct request *request = container_of(co, struct request, co);
    struct aio_sched *sched = aio_co_sched(co);
    uint64_t now = aio_sched_time(sched, AIO_AWAKE);

    aio_timer_init(&request->timer, request_timeout);
    int r = aio_call_at(sched, &request->timer, AIO_AWAKE,
                        now + request->timeout_ms * NSEC_PER_MSEC);
    assert_int_equal(r, 0);
    return aio_delegate_try(co, aio_sleep(AIO_AWAKE, request->sleep_ms * NSEC_PER_MSEC),
                            STEP(request_left));
}

static const struct aio_co_fn request_fn = {
    "request",
    sizeof(struct request),
    STEP_INIT(request_begin),
    NULL,
};

static struct aio_task *request_start(struct fake_loop *loop, uint64_t sleep_ms,
                                      uint64_t timeout_ms)
{
    struct aio_co *co = aio_co_new(&request_fn);
    struct request *request = container_of(co, struct request, co);

    assert_non_null(co);
    request->loop = loop;
    request->sleep_ms = sleep_ms;
    request->timeout_ms = timeout_ms;
    return fake_loop_keep(loop, aio_task_new(&loop->sched, co));
}

/* test_tasks: test_uncancel_structured_blocks */
static void test_uncancel_structured_blocks(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *late = request_start(loop, 10000, 100);

    fake_loop_run(loop);
    assert_trace(loop, "100 block cancelled\n100 timeout\n100 outer code\n");
    assert_task(late, "ok");
    assert_int_equal(aio_task_cancelling(late), 0);

    struct aio_task *quick = request_start(loop, 0, 10000);
    fake_loop_run(loop);
    assert_trace(loop, "100 block ok\n100 outer code\n");
    assert_task(quick, "ok");
    assert_int_equal(aio_task_cancelling(quick), 0);

    struct aio_task *cancelled = request_start(loop, 10000, 20000);
    fake_loop_turn(loop);
    aio_task_cancel(cancelled, NULL);
    fake_loop_run(loop);
    assert_trace(loop, "100 block cancelled\n");
    assert_task(cancelled, "cancelled");
    assert_int_equal(aio_task_cancelling(cancelled), 1);
}

/* The same, cancelled from outside in the very turn in which it times out: both count. */
static void test_a_timeout_does_not_eat_a_cancel(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = request_start(loop, 10000, 100);

    fake_loop_turn(loop);
    fake_loop_pass(loop, 100 * NSEC_PER_MSEC);
    fake_loop_turn(loop); /* the timeout has fired, the block has not left yet */
    assert_int_equal(aio_task_cancelling(task), 1);
    assert_true(aio_task_cancel(task, NULL));
    fake_loop_run(loop);
    assert_trace(loop, "100 block cancelled\n");
    assert_task(task, "cancelled");
    assert_int_equal(aio_task_cancelling(task), 1);
}

/* test_tasks: test_uncancel_resets_must_cancel */
static void test_uncancel_resets_must_cancel(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "a", STEP(actor_wait), f);

    fake_loop_turn(loop);
    aio_future_set_result(f, text_value("42"));
    assert_true(aio_task_cancel(task, NULL));
    assert_true(task->must_cancel);
    assert_int_equal(aio_task_cancelling(task), 1);
    assert_int_equal(aio_task_uncancel(task), 0);
    assert_false(task->must_cancel);
    fake_loop_turn(loop);
    assert_task(task, "ok 42");
    assert_trace(loop, "0 a ok 42\n");
}

/* Two requests, one taken back: what is left still arrives. */
static void test_uncancel_one_of_two(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(actor_end), NULL);

    aio_task_cancel(task, NULL);
    aio_task_cancel(task, NULL);
    assert_int_equal(aio_task_uncancel(task), 1);
    fake_loop_turn(loop);
    assert_task(task, "cancelled");
}

/* The result is there, its step has not run: the cancel wins, the future keeps the result. */
static void test_a_cancel_before_the_step_wins(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *ok = aio_future_new(&loop->sched);
    _cleanup_(aio_future_unrefp) struct aio_future *bad = aio_future_new(&loop->sched);
    _cleanup_(value_unrefp) struct value *reason = text_value("why");
    struct aio_task *a = actor_start(loop, "a", STEP(actor_wait), ok);
    struct aio_task *b = actor_start(loop, "b", STEP(actor_wait), bad);

    fake_loop_turn(loop);
    aio_future_set_result(ok, text_value("x"));
    aio_future_set_error(bad, -EIO, text_value("x"));
    assert_true(aio_task_cancel(a, reason));
    assert_true(aio_task_cancel(b, reason));
    fake_loop_turn(loop);
    assert_trace(loop, "0 a cancelled why\n0 b cancelled why\n");
    assert_task(a, "cancelled why");
    assert_task(b, "cancelled why");
    assert_future(ok, "ok x");
}

/* Two tasks await one: cancelling one of them cancels the inner, and thus the other. */
static void test_shared_inner_task(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *inner = actor_start(loop, "inner", STEP(body_sleep), NULL);
    struct aio_task *a = actor_start(loop, "a", STEP(actor_wait), &inner->future);
    struct aio_task *b = actor_start(loop, "b", STEP(actor_wait), &inner->future);

    fake_loop_turn(loop);
    aio_task_cancel(a, NULL);
    fake_loop_run(loop);
    assert_trace(loop, "0 a cancelled\n0 b cancelled\n");
    assert_task(inner, "cancelled");
    assert_int_equal(aio_task_cancelling(inner), 1);
    assert_task(b, "cancelled");
    assert_int_equal(aio_task_cancelling(b), 0);
}

static struct aio_next swallow_seen(struct aio_co *co)
{
    actor_note_outcome(co);
    return aio_await_try(co, actor_of(co)->arg, STEP(actor_end));
}

static struct aio_next body_swallow(struct aio_co *co)
{
    return aio_await_try(co, actor_of(co)->future, STEP(swallow_seen));
}

/* An awaited task that swallows the cancel: the waiter goes on too, and may be cancelled again.
 */
static void test_awaited_task_swallows(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f1 = aio_future_new(&loop->sched);
    _cleanup_(aio_future_unrefp) struct aio_future *f2 = aio_future_new(&loop->sched);
    struct aio_task *inner = actor_start(loop, "inner", STEP(body_swallow), f1);
    struct aio_task *outer = actor_start(loop, "outer", STEP(actor_wait), &inner->future);

    actor_of_task(inner)->arg = f2;
    fake_loop_turn(loop);
    assert_true(aio_task_cancel(outer, NULL));
    fake_loop_run(loop);
    assert_trace(loop, "0 inner cancelled\n");
    assert_ptr_equal(outer->awaiting.future, &inner->future);
    assert_true(aio_task_cancel(outer, NULL)); /* reaches the inner one, again */
    assert_future(f2, "cancelled");
    fake_loop_run(loop);
    assert_trace(loop, "0 inner ends\n0 outer ok\n");
    assert_task(outer, "ok");
    assert_int_equal(aio_task_cancelling(outer), 2);
    assert_int_equal(aio_task_cancelling(inner), 2);
}

static struct aio_next body_wait_task(struct aio_co *co)
{
    return aio_await_try(co, &actor_of(co)->task->future, STEP(actor_wait));
}

/* Tasks that await each other: a cancel of any ends all, and returns. */
static void test_cancel_of_a_circle(void **state)
{
    enum { TASKS = 5 };
    static const char *const names[TASKS] = {"1", "2", "3", "4", "5"};
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *tasks[TASKS];

    aio_future_set_result(f, NULL); /* what each does in the end */
    for (int i = 0; i < TASKS; i++)
        tasks[i] = actor_start(loop, names[i], STEP(body_wait_task), f);
    for (int i = 0; i < TASKS; i++)
        actor_of_task(tasks[i])->task = tasks[i + 1 < TASKS ? i + 1 : 2]; /* 3 → 4 → 5 → 3 */
    fake_loop_run(loop);
    assert_int_equal(loop->sched.ready_count, 0);
    assert_true(aio_task_cancel(tasks[0], NULL));
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(aio_task_cancelling(tasks[i]), 1);
    fake_loop_run(loop);
    for (int i = 0; i < TASKS; i++)
        assert_true(aio_future_is_done(&tasks[i]->future));
    assert_trace(loop, "0 5 ok\n0 4 ok\n0 3 ok\n0 2 ok\n0 1 ok\n");
}

static struct aio_next cleanup_end(struct aio_co *co)
{
    actor_note(co, "cleaned %s", outcome_text(aio_outcome(co, NULL), NULL));
    return aio_raise(co, -ECANCELED, NULL);
}

static struct aio_next cleanup_seen(struct aio_co *co)
{
    actor_note_outcome(co);
    return aio_delegate_try(co, aio_sleep(AIO_BOOT, 5 * NSEC_PER_MSEC), STEP(cleanup_end));
}

static struct aio_next body_cleanup(struct aio_co *co)
{
    return aio_delegate_try(co, sleep_10s(), STEP(cleanup_seen));
}

/* One -ECANCELED a cancel: a cleanup may await, and is cut short only by another cancel. */
static void test_cleanup_may_await(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *a = actor_start(loop, "a", STEP(body_cleanup), NULL);
    struct aio_task *b = actor_start(loop, "b", STEP(body_cleanup), NULL);

    fake_loop_turn(loop);
    aio_task_cancel(a, NULL);
    aio_task_cancel(b, NULL);
    fake_loop_turn(loop);
    aio_task_cancel(b, NULL);
    fake_loop_run(loop);
    assert_trace(loop, "0 a cancelled\n0 b cancelled\n0 b cleaned cancelled\n5 a cleaned ok\n");
    assert_task(a, "cancelled");
    assert_task(b, "cancelled");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_cancelling),
        CASE(test_uncancel_basic),
        CASE(test_uncancel_structured_blocks),
        CASE(test_a_timeout_does_not_eat_a_cancel),
        CASE(test_uncancel_resets_must_cancel),
        CASE(test_uncancel_one_of_two),
        CASE(test_a_cancel_before_the_step_wins),
        CASE(test_shared_inner_task),
        CASE(test_awaited_task_swallows),
        CASE(test_cancel_of_a_circle),
        CASE(test_cleanup_may_await),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
