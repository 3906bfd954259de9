/* SPDX-License-Identifier: MIT */
/*
 * The semaphore and the line that it stands on. CPython cases are named where they are ported
 * (test_locks, SemaphoreTests). A release of a permit that nobody holds is a resize here.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/aio/semaphore.h"
#include "daemon/aio/sleep.h"
#include "tests/support/actor.h"

struct fixture {
    struct fake_loop loop;
    struct aio_semaphore semaphore;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fake_loop_init(&fixture.loop);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    fake_loop_done(&fixture->loop);
    assert_int_equal(fixture->semaphore.waiting, 0);
    assert_true(aio_waitq_idle(&fixture->semaphore.line));
    return 0;
}

static void semaphore_more(struct fixture *fixture)
{
    aio_semaphore_resize(&fixture->semaphore, fixture->semaphore.capacity + 1);
}

/* Acquires the semaphore in ->arg, notes the outcome, goes on at ->n's step. */
static struct aio_next acquired(struct aio_co *co)
{
    actor_note_outcome(co);
    return actor_pass(co);
}

static struct aio_next body_acquire(struct aio_co *co)
{
    return aio_delegate_try(co, aio_semaphore_acquire(actor_of(co)->arg), STEP(acquired));
}

static struct aio_task *start(struct fixture *fixture, const char *name, struct aio_step body)
{
    struct aio_task *task = actor_start(&fixture->loop, name, body, NULL);
    actor_of_task(task)->arg = &fixture->semaphore;
    return task;
}

static struct aio_task *acquirer(struct fixture *fixture, const char *name)
{
    return start(fixture, name, STEP(body_acquire));
}

static struct aio_next hold_end(struct aio_co *co)
{
    actor_note(co, "releases");
    aio_semaphore_release(actor_of(co)->arg);
    return aio_return(co, NULL);
}

static struct aio_next hold_sleep(struct aio_co *co)
{
    actor_note(co, "holds");
    return aio_delegate(co, aio_sleep(AIO_BOOT, 10 * NSEC_PER_MSEC), STEP(hold_end));
}

static struct aio_next body_hold(struct aio_co *co)
{
    return aio_delegate(co, aio_semaphore_acquire(actor_of(co)->arg), STEP(hold_sleep));
}

/* test_locks: test_acquire */
static void test_acquire(void **state)
{
    struct fixture *fixture = *state;
    struct aio_semaphore *semaphore = &fixture->semaphore;

    aio_semaphore_init(semaphore, &fixture->loop.sched, 3);
    assert_true(aio_semaphore_try(semaphore));
    assert_true(aio_semaphore_try(semaphore));
    acquirer(fixture, "1");
    acquirer(fixture, "2");
    acquirer(fixture, "3");
    fake_loop_turn(&fixture->loop);
    assert_trace(&fixture->loop, "0 1 ok\n"); /* at once, without a turn */
    assert_int_equal(semaphore->held, 3);
    assert_int_equal(semaphore->waiting, 2);
    assert_false(aio_semaphore_try(semaphore));

    acquirer(fixture, "4");
    aio_semaphore_release(semaphore);
    aio_semaphore_release(semaphore);
    assert_int_equal(semaphore->held, 3); /* handed on */
    fake_loop_turn(&fixture->loop);
    assert_trace(&fixture->loop, "0 2 ok\n0 3 ok\n");
    assert_int_equal(semaphore->waiting, 1);
    aio_semaphore_release(semaphore);
    fake_loop_turn(&fixture->loop);
    assert_trace(&fixture->loop, "0 4 ok\n");
}

/* test_locks: test_acquire_cancel */
static void test_acquire_cancel(void **state)
{
    struct fixture *fixture = *state;
    struct aio_semaphore *semaphore = &fixture->semaphore;

    aio_semaphore_init(semaphore, &fixture->loop.sched, 1);
    assert_true(aio_semaphore_try(semaphore));
    struct aio_task *task = acquirer(fixture, "a");
    fake_loop_turn(&fixture->loop);
    aio_task_cancel(task, NULL);
    assert_true(aio_waitq_idle(&semaphore->line)); /* out of the line at once */
    fake_loop_turn(&fixture->loop);
    assert_trace(&fixture->loop, "0 a cancelled\n");
    assert_int_equal(semaphore->held, 1);
}

/* test_locks: test_acquire_cancel_before_awoken */
static void test_acquire_cancel_before_awoken(void **state)
{
    struct fixture *fixture = *state;
    struct aio_semaphore *semaphore = &fixture->semaphore;

    aio_semaphore_init(semaphore, &fixture->loop.sched, 0);
    struct aio_task *t1 = acquirer(fixture, "1");
    struct aio_task *t2 = acquirer(fixture, "2");
    struct aio_task *t3 = acquirer(fixture, "3");
    struct aio_task *t4 = acquirer(fixture, "4");
    fake_loop_turn(&fixture->loop);
    aio_task_cancel(t1, NULL);
    aio_task_cancel(t2, NULL);
    semaphore_more(fixture);
    fake_loop_turns(&fixture->loop, 2);
    assert_trace(&fixture->loop, "0 1 cancelled\n0 2 cancelled\n0 3 ok\n");
    assert_task(t3, "ok");
    assert_task(t4, "pending");
    aio_task_cancel(t3, NULL);
    aio_task_cancel(t4, NULL);
    fake_loop_turn(&fixture->loop);
    assert_trace(&fixture->loop, "0 4 cancelled\n");
}

/* test_locks: test_acquire_hang */
static void test_acquire_hang(void **state)
{
    struct fixture *fixture = *state;
    struct aio_semaphore *semaphore = &fixture->semaphore;

    aio_semaphore_init(semaphore, &fixture->loop.sched, 0);
    struct aio_task *t1 = acquirer(fixture, "1");
    acquirer(fixture, "2");
    fake_loop_turn(&fixture->loop);
    aio_task_cancel(t1, NULL);
    semaphore_more(fixture);
    fake_loop_turns(&fixture->loop, 2);
    assert_trace(&fixture->loop, "0 1 cancelled\n0 2 ok\n");
    assert_false(aio_semaphore_try(semaphore));
}

static struct aio_next nohang_leave(struct aio_co *co)
{
    struct actor *actor = actor_of(co);

    aio_task_cancel(actor->task, NULL); /* it has been waiting since */
    aio_semaphore_release(actor->arg);
    return aio_return(co, NULL);
}

static struct aio_next nohang_entered(struct aio_co *co)
{
    return aio_yield(co, STEP(nohang_leave));
}

static struct aio_next body_nohang(struct aio_co *co)
{
    return aio_delegate(co, aio_semaphore_acquire(actor_of(co)->arg), STEP(nohang_entered));
}

/* test_locks: test_acquire_no_hang */
static void test_acquire_no_hang(void **state)
{
    struct fixture *fixture = *state;
    struct aio_semaphore *semaphore = &fixture->semaphore;

    aio_semaphore_init(semaphore, &fixture->loop.sched, 1);
    struct aio_task *t1 = start(fixture, "1", STEP(body_nohang));
    struct aio_task *t2 = acquirer(fixture, "2");
    actor_of_task(t1)->task = t2;
    fake_loop_run(&fixture->loop);
    assert_task(t1, "ok");
    assert_task(t2, "cancelled");
    assert_int_equal(semaphore->held, 0);
    assert_true(aio_semaphore_try(semaphore));
    assert_trace(&fixture->loop, "0 2 cancelled\n");
}

/* The permit was handed over, the cancel comes before the step: it goes to the next. */
static void test_a_permit_is_never_lost(void **state)
{
    struct fixture *fixture = *state;
    struct aio_semaphore *semaphore = &fixture->semaphore;

    aio_semaphore_init(semaphore, &fixture->loop.sched, 1);
    assert_true(aio_semaphore_try(semaphore));
    struct aio_task *t1 = acquirer(fixture, "1");
    acquirer(fixture, "2");
    fake_loop_turn(&fixture->loop);
    aio_semaphore_release(semaphore);
    aio_task_cancel(t1, NULL);
    assert_int_equal(semaphore->held, 1);
    fake_loop_turns(&fixture->loop, 2);
    assert_trace(&fixture->loop, "0 1 cancelled\n0 2 ok\n");
    assert_int_equal(semaphore->held, 1);

    struct aio_task *t3 = acquirer(fixture, "3"); /* nobody behind it: the permit is free */
    fake_loop_turn(&fixture->loop);
    aio_semaphore_release(semaphore);
    aio_task_cancel(t3, NULL);
    fake_loop_turn(&fixture->loop);
    assert_trace(&fixture->loop, "0 3 cancelled\n");
    assert_int_equal(semaphore->held, 0);
}

static struct aio_next fifo_again(struct aio_co *co)
{
    struct actor *actor = actor_of(co);

    aio_semaphore_release(actor->arg);
    if (actor->n++ == 1)
        return aio_return(co, NULL);
    return aio_goto(co, actor->body);
}

static struct aio_next fifo_acquired(struct aio_co *co)
{
    actor_note(co, "%d", actor_of(co)->n + 1);
    return aio_delegate(co, aio_sleep(AIO_BOOT, 10 * NSEC_PER_MSEC), STEP(fifo_again));
}

static struct aio_next body_fifo(struct aio_co *co)
{
    return aio_delegate(co, aio_semaphore_acquire(actor_of(co)->arg), STEP(fifo_acquired));
}

/* test_locks: test_acquire_fifo_order */
static void test_acquire_fifo_order(void **state)
{
    struct fixture *fixture = *state;

    aio_semaphore_init(&fixture->semaphore, &fixture->loop.sched, 1);
    start(fixture, "a", STEP(body_fifo));
    start(fixture, "b", STEP(body_fifo));
    start(fixture, "c", STEP(body_fifo));
    fake_loop_run(&fixture->loop);
    assert_trace(&fixture->loop, "0 a 1\n10 b 1\n20 c 1\n30 a 2\n40 b 2\n50 c 2\n");
    assert_int_equal(fixture->semaphore.held, 0);
}

static struct aio_next order2_first(struct aio_co *co)
{
    actor_note(co, "first");
    aio_semaphore_release(actor_of(co)->arg);
    return aio_delegate_try(co, aio_semaphore_acquire(actor_of(co)->arg), STEP(acquired));
}

static struct aio_next body_order2(struct aio_co *co)
{
    return aio_delegate(co, aio_semaphore_acquire(actor_of(co)->arg), STEP(order2_first));
}

/* test_locks: test_acquire_fifo_order_2: who releases and acquires again goes behind */
static void test_acquire_fifo_order_2(void **state)
{
    struct fixture *fixture = *state;

    aio_semaphore_init(&fixture->semaphore, &fixture->loop.sched, 1);
    acquirer(fixture, "1");
    start(fixture, "2", STEP(body_order2));
    acquirer(fixture, "3");
    fake_loop_turn(&fixture->loop);
    semaphore_more(fixture);
    semaphore_more(fixture);
    fake_loop_run(&fixture->loop);
    assert_trace(&fixture->loop, "0 1 ok\n0 2 first\n0 3 ok\n0 2 ok\n");
}

/* test_locks: test_acquire_fifo_order_3 */
static void test_acquire_fifo_order_3(void **state)
{
    struct fixture *fixture = *state;

    aio_semaphore_init(&fixture->semaphore, &fixture->loop.sched, 0);
    struct aio_task *t1 = acquirer(fixture, "1");
    acquirer(fixture, "2");
    acquirer(fixture, "3");
    fake_loop_turn(&fixture->loop);
    aio_task_cancel(t1, NULL);
    fake_loop_turn(&fixture->loop);
    semaphore_more(fixture);
    semaphore_more(fixture);
    fake_loop_run(&fixture->loop);
    assert_trace(&fixture->loop, "0 1 cancelled\n0 2 ok\n0 3 ok\n");
}

static struct aio_next order4_first(struct aio_co *co)
{
    struct actor *actor = actor_of(co);
    struct aio_semaphore *semaphore = actor->arg;
    struct aio_task *fourth = actor_start(actor->loop, "4", STEP(body_acquire), NULL);

    assert_int_equal(semaphore->held, 3); /* the other two have been woken by now */
    actor_of_task(fourth)->arg = semaphore;
    actor_note(co, "ok");
    return aio_return(co, NULL);
}

static struct aio_next body_order4_first(struct aio_co *co)
{
    return aio_delegate(co, aio_semaphore_acquire(actor_of(co)->arg), STEP(order4_first));
}

static struct aio_next body_order4_second(struct aio_co *co)
{
    struct aio_semaphore *semaphore = actor_of(co)->arg;

    aio_semaphore_resize(semaphore, 3);
    assert_int_equal(semaphore->held, 1); /* two are free, but the first has yet to start */
    assert_false(aio_semaphore_try(semaphore));
    return aio_goto(co, STEP(body_acquire));
}

/* test_locks: test_acquire_fifo_order_4 */
static void test_acquire_fifo_order_4(void **state)
{
    struct fixture *fixture = *state;

    aio_semaphore_init(&fixture->semaphore, &fixture->loop.sched, 0);
    start(fixture, "1", STEP(body_order4_first));
    start(fixture, "2", STEP(body_order4_second));
    acquirer(fixture, "3");
    fake_loop_run(&fixture->loop);
    assert_trace(&fixture->loop, "0 1 ok\n0 2 ok\n0 3 ok\n");
    aio_semaphore_release(&fixture->semaphore);
    fake_loop_run(&fixture->loop);
    assert_trace(&fixture->loop, "0 4 ok\n");
}

/* test_locks: test_release_no_waiters */
static void test_release_no_waiters(void **state)
{
    struct fixture *fixture = *state;
    struct aio_semaphore *semaphore = &fixture->semaphore;

    aio_semaphore_init(semaphore, &fixture->loop.sched, 1);
    assert_true(aio_semaphore_try(semaphore));
    assert_false(aio_semaphore_try(semaphore));
    aio_semaphore_release(semaphore);
    assert_int_equal(semaphore->held, 0);
    aio_semaphore_release(semaphore); /* held by nobody: makes none */
    assert_true(aio_semaphore_try(semaphore));
    assert_false(aio_semaphore_try(semaphore));
}

static void test_resize(void **state)
{
    struct fixture *fixture = *state;
    struct aio_semaphore *semaphore = &fixture->semaphore;
    static const char *const names[] = {"a", "b", "c", "d"};

    aio_semaphore_init(semaphore, &fixture->loop.sched, 3);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        start(fixture, names[i], STEP(body_hold));
    fake_loop_turn(&fixture->loop);
    aio_semaphore_resize(semaphore, 1); /* fewer than are held */
    fake_loop_run(&fixture->loop);
    assert_trace(&fixture->loop, "0 a holds\n0 b holds\n0 c holds\n"
                                 "10 a releases\n10 b releases\n10 c releases\n"
                                 "10 d holds\n20 d releases\n");
    assert_int_equal(semaphore->held, 0);
}

/* Many in line, all cancelled together: linear. */
static void test_mass_cancel(void **state)
{
    enum { WAITERS = 20000 };
    struct fixture *fixture = *state;
    struct aio_semaphore *semaphore = &fixture->semaphore;
    static struct aio_task *tasks[WAITERS];

    aio_semaphore_init(semaphore, &fixture->loop.sched, 0);
    for (int i = 0; i < WAITERS; i++)
        tasks[i] = aio_task_new(&fixture->loop.sched, aio_semaphore_acquire(semaphore));
    fake_loop_turn(&fixture->loop);
    assert_int_equal(semaphore->waiting, WAITERS);
    for (int i = 0; i < WAITERS; i++)
        aio_task_cancel(tasks[i], NULL);
    semaphore_more(fixture);
    assert_true(aio_semaphore_try(semaphore));
    fake_loop_turn(&fixture->loop);
    for (int i = 0; i < WAITERS; i++)
        aio_task_unref(tasks[i]);
    assert_int_equal(semaphore->held, 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_acquire),
        CASE(test_acquire_cancel),
        CASE(test_acquire_cancel_before_awoken),
        CASE(test_acquire_hang),
        CASE(test_acquire_no_hang),
        CASE(test_a_permit_is_never_lost),
        CASE(test_acquire_fifo_order),
        CASE(test_acquire_fifo_order_2),
        CASE(test_acquire_fifo_order_3),
        CASE(test_acquire_fifo_order_4),
        CASE(test_release_no_waiters),
        CASE(test_resize),
        CASE(test_mass_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
