/* SPDX-License-Identifier: MIT */
/*
 * Chains of a hundred thousand: no recursion at any depth. The stack is made so small that a
 * few bytes a link would overflow it, with any compiler and any sanitizer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "daemon/aio/sleep.h"
#include "tests/support/actor.h"

enum { DEPTH = 100 * 1000, STACK_BYTES = 512 * 1024 };

static int setup_all(void **state)
{
    struct rlimit limit;

    (void)state;
    if (getrlimit(RLIMIT_STACK, &limit) < 0)
        return -1;
    limit.rlim_cur = STACK_BYTES;
    return setrlimit(RLIMIT_STACK, &limit);
}

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

/* Calls itself, ->n deep, then awaits ->future. */
static struct aio_next body_dig(struct aio_co *co)
{
    struct actor *actor = actor_of(co);

    if (actor->n == 0)
        return aio_await(co, actor->future, STEP(actor_pass));
    struct actor *child = actor_new(actor->loop, "", STEP(body_dig), actor->future);
    child->n = actor->n - 1;
    return aio_delegate(co, &child->co, STEP(actor_pass));
}

static struct aio_task *start_digger(struct fake_loop *loop, struct aio_future *f)
{
    struct aio_task *task = actor_start(loop, "digger", STEP(body_dig), f);

    actor_of_task(task)->n = DEPTH;
    fake_loop_turn(loop);
    assert_int_equal(loop->frames, DEPTH + 1);
    return task;
}

static void test_delegates_return(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = start_digger(loop, f);

    aio_future_set_result(f, text_value("up"));
    fake_loop_turn(loop);
    assert_task(task, "ok up");
    assert_int_equal(task->stats.steps, 2);
}

static void test_delegates_raise(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = start_digger(loop, f);

    aio_future_set_error(f, -EIO, text_value("deep"));
    fake_loop_turn(loop);
    assert_task(task, "EIO deep");
}

static void test_delegates_cancelled(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = start_digger(loop, f);

    assert_true(aio_task_cancel(task, NULL));
    assert_future(f, "cancelled");
    fake_loop_turn(loop);
    assert_task(task, "cancelled");
}

/* Frames that own coroutines which never ran, one inside the other. */
static void test_nested_objects_freed(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_co *co = NULL;

    for (int i = 0; i < DEPTH; i++) {
        struct actor *outer = actor_new(loop, "", STEP(actor_end), NULL);
        outer->child = co;
        co = &outer->co;
    }
    aio_co_free(co);
    assert_int_equal(loop->frames, 0);
}

static struct aio_next body_open(struct aio_co *co)
{
    return aio_delegate(co, TAKE_PTR(actor_of(co)->child), STEP(actor_pass));
}

/* The same, cancelled when half of them have been started. */
static void test_nested_objects_half_run(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_co *co = NULL;

    for (int i = 0; i < DEPTH; i++) {
        struct aio_step body =
            i == DEPTH / 2 ? STEP(actor_wait) : STEP(body_open); /* waits in the middle */
        struct actor *outer = actor_new(loop, "half", body, f);
        outer->child = co;
        co = &outer->co;
    }
    struct aio_task *task = fake_loop_keep(loop, aio_task_new(&loop->sched, co));
    fake_loop_turn(loop);
    aio_task_cancel(task, NULL);
    fake_loop_turn(loop);
    assert_task(task, "cancelled");
    assert_int_equal(loop->frames, 0);
    assert_trace(loop, "0 half cancelled\n");
}

static struct aio_task *tasks[DEPTH];

static struct aio_next body_await_link(struct aio_co *co)
{
    return aio_await(co, actor_of(co)->future, STEP(actor_pass));
}

/* tasks[0] awaits f, each other one the one before it. */
static void start_chain(struct fake_loop *loop, struct aio_future *f)
{
    for (int i = 0; i < DEPTH; i++) {
        struct aio_future *link = i ? &tasks[i - 1]->future : f;
        struct actor *actor = actor_new(loop, "", STEP(body_await_link), link);
        tasks[i] = aio_task_new(&loop->sched, &actor->co);
        assert_non_null(tasks[i]);
    }
    fake_loop_turn(loop);
}

static void unref_chain(void)
{
    for (int i = 0; i < DEPTH; i++)
        aio_task_unref(tasks[i]);
}

static void test_tasks_return(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);

    start_chain(loop, f);
    aio_future_set_result(f, text_value("up"));
    fake_loop_run(loop);
    assert_task(tasks[DEPTH - 1], "ok up");
    assert_int_equal(loop->turns, DEPTH + 1); /* each wakes the next */
    unref_chain();
}

static void test_tasks_cancelled(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);

    start_chain(loop, f);
    assert_true(aio_task_cancel(tasks[DEPTH - 1], NULL));
    assert_future(f, "cancelled");
    assert_int_equal(aio_task_cancelling(tasks[0]), 1);
    fake_loop_run(loop);
    assert_task(tasks[DEPTH - 1], "cancelled");
    unref_chain();
}

static void test_a_circle_of_tasks_cancelled(void **state)
{
    struct fake_loop *loop = *state;

    for (int i = 0; i < DEPTH; i++) {
        struct actor *actor = actor_new(loop, "", STEP(body_await_link), NULL);
        tasks[i] = aio_task_new(&loop->sched, &actor->co);
    }
    for (int i = 0; i < DEPTH; i++)
        actor_of_task(tasks[i])->future = &tasks[(i + 1) % DEPTH]->future;
    fake_loop_turn(loop);
    aio_task_cancel(tasks[7], NULL);
    fake_loop_run(loop);
    for (int i = 0; i < DEPTH; i++)
        assert_true(aio_future_is_done(&tasks[i]->future));
    unref_chain();
}

/* A future that holds the last reference to another one. */
struct link {
    struct aio_future future;
    struct aio_future *inner; /* counted */
};

static void link_free(struct aio_future *f)
{
    struct link *link = container_of(f, struct link, future);

    aio_future_unref(link->inner);
    free(link);
}

static const struct aio_future_ops link_ops = {.free = link_free};

static void test_chain_of_futures_freed(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_future *f = aio_future_new(&loop->sched);

    for (int i = 0; i < DEPTH; i++) {
        struct link *link = malloc(sizeof(*link));
        assert_non_null(link);
        aio_future_init(&link->future, &loop->sched, &link_ops);
        link->future.refs = 1;
        link->inner = f;
        f = &link->future;
    }
    assert_null(aio_future_unref(f));
}

/* Many sleepers in no order: all of them wake, and none is left. */
static void test_sleepers(void **state)
{
    struct fake_loop *loop = *state;

    for (uint64_t i = 0; i < DEPTH; i++) {
        uint64_t ms = 1 + i * 7919 % 1000;
        tasks[i] = aio_task_new(&loop->sched, aio_sleep(AIO_AWAKE, ms * NSEC_PER_MSEC));
        assert_non_null(tasks[i]);
    }
    fake_loop_turn(loop);
    assert_int_equal(loop->sched.timers[AIO_AWAKE].len, DEPTH);
    fake_loop_run(loop);
    assert_int_equal(fake_loop_ms(loop), 1000);
    assert_int_equal(loop->sched.timers[AIO_AWAKE].len, 0);
    unref_chain();
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_delegates_return),        CASE(test_delegates_raise),
        CASE(test_delegates_cancelled),     CASE(test_nested_objects_freed),
        CASE(test_nested_objects_half_run), CASE(test_tasks_return),
        CASE(test_tasks_cancelled),         CASE(test_a_circle_of_tasks_cancelled),
        CASE(test_chain_of_futures_freed),  CASE(test_sleepers),
    };
    return cmocka_run_group_tests(tests, setup_all, NULL);
}
