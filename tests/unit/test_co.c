/* SPDX-License-Identifier: MIT */
/*
 * Coroutines calling each other, and what ends a step.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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

static struct aio_next delegate_back(struct aio_co *co)
{
    actor_note_outcome(co);
    return actor_pass(co);
}

static struct aio_next body_delegate(struct aio_co *co)
{
    struct actor *child = actor_of(co)->arg;

    actor_note(co, "calls");
    return aio_delegate_try(co, &child->co, STEP(delegate_back));
}

static struct aio_next body_delegate_plain(struct aio_co *co)
{
    struct actor *child = actor_of(co)->arg;

    actor_note(co, "calls");
    return aio_delegate(co, &child->co, STEP(delegate_back));
}

static void test_delegating_takes_no_turn(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_delegate), NULL);
    struct actor *b = actor_new(loop, "b", STEP(body_delegate), NULL);
    struct actor *c = actor_new(loop, "c", STEP(body_return_abc), NULL);

    actor_of_task(task)->arg = b;
    b->arg = c;
    fake_loop_turn(loop);
    assert_trace(loop, "0 a calls\n0 b calls\n0 b ok abc\n0 a ok abc\n");
    assert_task(task, "ok abc");
    assert_int_equal(task->stats.steps, 1);
}

/* An error skips the callers that used the plain form, and stops at the first _try. */
static void test_an_error_passes_up_the_callers(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *task = actor_start(loop, "a", STEP(body_delegate), NULL);
    struct actor *b = actor_new(loop, "b", STEP(body_delegate_plain), NULL);
    struct actor *c = actor_new(loop, "c", STEP(body_raise), NULL);

    actor_of_task(task)->arg = b;
    b->arg = c;
    fake_loop_turn(loop);
    assert_trace(loop, "0 a calls\n0 b calls\n0 a EPIPE broken\n");
    assert_task(task, "EPIPE broken");
}

static struct aio_next body_null_future(struct aio_co *co)
{
    return aio_await_try(co, NULL, STEP(delegate_back));
}

static struct aio_next body_null_future_plain(struct aio_co *co)
{
    return aio_await(co, NULL, STEP(delegate_back));
}

static struct aio_next body_null_child(struct aio_co *co)
{
    return aio_delegate_try(co, NULL, STEP(delegate_back));
}

static void test_null_is_no_memory(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_task *a = actor_start(loop, "a", STEP(body_null_future), NULL);
    struct aio_task *b = actor_start(loop, "b", STEP(body_null_future_plain), NULL);
    struct aio_task *c = actor_start(loop, "c", STEP(body_null_child), NULL);

    fake_loop_turn(loop);
    assert_trace(loop, "0 a ENOMEM\n0 c ENOMEM\n");
    assert_task(a, "ENOMEM");
    assert_task(b, "ENOMEM");
    assert_task(c, "ENOMEM");
    assert_null(aio_task_new(&loop->sched, NULL));
}

static struct aio_next goto_second(struct aio_co *co)
{
    actor_note_outcome(co); /* the same outcome as the step before saw */
    return aio_goto(co, STEP(actor_end));
}

static struct aio_next goto_first(struct aio_co *co)
{
    actor_note_outcome(co);
    return aio_goto(co, STEP(goto_second));
}

static struct aio_next body_goto(struct aio_co *co)
{
    return aio_await_try(co, actor_of(co)->future, STEP(goto_first));
}

static void test_goto_keeps_the_outcome(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *task = actor_start(loop, "a", STEP(body_goto), f);

    aio_future_set_error(f, -EIO, text_value("disk"));
    fake_loop_turn(loop);
    assert_trace(loop, "0 a EIO disk\n0 a EIO disk\n0 a ends\n");
    assert_task(task, "ok");
}

static struct aio_next twice_second(struct aio_co *co)
{
    actor_note_outcome(co);
    return aio_await_try(co, actor_of(co)->future, STEP(actor_end));
}

static struct aio_next body_twice(struct aio_co *co)
{
    return aio_await_try(co, &actor_of(co)->task->future, STEP(twice_second));
}

/* Two suspensions in a row, and the outcome of the one is not that of the other. */
static void test_two_suspensions(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct aio_task *raises = actor_start(loop, "r", STEP(body_raise), NULL);
    struct aio_task *task = actor_start(loop, "a", STEP(body_twice), f);

    actor_of_task(task)->task = raises;
    fake_loop_run(loop);
    assert_trace(loop, "0 a EPIPE broken\n");
    assert_null(task->co->value); /* a suspended frame does not keep what was seen before */
    assert_ptr_equal(task->awaiting.future, f);
    aio_future_set_result(f, NULL);
    fake_loop_run(loop);
    assert_trace(loop, "0 a ends\n");
    assert_task(task, "ok");
}

static struct aio_next body_phase(struct aio_co *co)
{
    actor_note(co, "%s", aio_task_phase(co->task) == AIO_TASK_RUNNING ? "runs" : "?");
    return aio_return(co, NULL);
}

/* A frame's done may still use the task; the future completes behind it. */
static void cleaner_done(struct aio_co *co)
{
    fake_loop_note(container_of(co, struct actor, co)->loop, "done %s",
                   future_text(&co->task->future));
}

static const struct aio_co_fn cleaner_fn = {
    "cleaner",
    sizeof(struct actor),
    STEP_INIT(body_phase),
    cleaner_done,
};

static void test_the_frame_goes_before_the_others_wake(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_co *co = aio_co_new(&cleaner_fn);
    actor_of(co)->loop = loop;
    actor_of(co)->name = "a";
    struct aio_task *task = fake_loop_keep(loop, aio_task_new(&loop->sched, co));

    actor_start(loop, "w", STEP(actor_wait), &task->future);
    fake_loop_run(loop);
    assert_trace(loop, "0 a runs\n0 done pending\n0 w ok\n");
}

static void test_done_runs_although_no_step_ran(void **state)
{
    struct fake_loop *loop = *state;
    struct actor *actor = actor_new(loop, "a", STEP(actor_end), NULL);

    assert_int_equal(loop->frames, 1);
    assert_null(aio_co_free(&actor->co));
    assert_null(aio_co_free(NULL));
    assert_int_equal(loop->frames, 0);
    assert_trace(loop, "");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_delegating_takes_no_turn),
        CASE(test_an_error_passes_up_the_callers),
        CASE(test_null_is_no_memory),
        CASE(test_goto_keeps_the_outcome),
        CASE(test_two_suspensions),
        CASE(test_the_frame_goes_before_the_others_wake),
        CASE(test_done_runs_although_no_step_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
