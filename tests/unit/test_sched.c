/* SPDX-License-Identifier: MIT */
/*
 * The ready queue and the timers. CPython cases are named where they are ported
 * (test_base_events, test_events). Left out: test_set_exc_handler_custom and _broken,
 * test_default_exc_handler_broken (nothing can escape from a C callback),
 * test_log_slow_callbacks (the watchdog's), test_run_forever_pre_stopped (tests/loop),
 * test_run_until_complete_loop_orphan_future_close_loop (there is no run_until_complete).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/fake_loop.h"

/* A handle and a timer that note their name, and may do one more thing. */
struct probe {
    struct aio_handle handle;
    struct aio_timer timer;
    struct fake_loop *loop;
    const char *name;
    void (*also)(struct probe *);
    struct probe *other;
    int times;
};

static void probe_ran(struct probe *probe)
{
    fake_loop_note(probe->loop, "%s", probe->name);
    if (probe->also)
        probe->also(probe);
}

static void probe_handle(struct aio_handle *handle)
{
    probe_ran(container_of(handle, struct probe, handle));
}

static void probe_timer(struct aio_handle *handle)
{
    probe_ran(container_of(handle, struct probe, timer.handle));
}

static void probe_init(struct probe *probe, struct fake_loop *loop, const char *name)
{
    *probe = (struct probe){.loop = loop, .name = name};
    aio_handle_init(&probe->handle, probe_handle);
    aio_timer_init(&probe->timer, probe_timer);
}

static void probe_soon(struct probe *probe)
{
    aio_call_soon(&probe->loop->sched, &probe->handle);
}

static int probe_at(struct probe *probe, enum aio_clock clock, uint64_t ms)
{
    struct fake_loop *loop = probe->loop;
    return aio_call_at(&loop->sched, &probe->timer, clock,
                       loop->now.ns[clock] + ms * NSEC_PER_MSEC);
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

/* test_base_events: test_call_soon */
static void test_call_soon_is_first_in_first_out(void **state)
{
    struct fake_loop *loop = *state;
    struct probe a, b, c;

    probe_init(&a, loop, "a");
    probe_init(&b, loop, "b");
    probe_init(&c, loop, "c");
    probe_soon(&b);
    probe_soon(&a);
    probe_soon(&c);
    probe_soon(&b); /* queued already */
    assert_int_equal(loop->sched.ready_count, 3);
    assert_trace(loop, ""); /* nothing runs inline */
    assert_false(fake_loop_turn(loop));
    assert_trace(loop, "0 b\n0 a\n0 c\n");
    assert_false(fake_loop_turn(loop));
    assert_trace(loop, "");
}

/* test_base_events: test_call_later */
static void test_timers_fire_by_deadline(void **state)
{
    struct fake_loop *loop = *state;
    struct probe a, b, c;

    probe_init(&a, loop, "a");
    probe_init(&b, loop, "b");
    probe_init(&c, loop, "c");
    assert_int_equal(probe_at(&a, AIO_AWAKE, 30), 0);
    assert_int_equal(probe_at(&b, AIO_AWAKE, 10), 0);
    assert_int_equal(probe_at(&c, AIO_AWAKE, 20), 0);
    fake_loop_pass(loop, 9 * NSEC_PER_MSEC);
    assert_false(fake_loop_turn(loop));
    assert_trace(loop, "");
    fake_loop_run(loop);
    assert_trace(loop, "10 b\n20 c\n30 a\n");
}

/* test_base_events: test_call_later_negative_delays */
static void test_a_past_deadline_fires_in_the_next_turn(void **state)
{
    struct fake_loop *loop = *state;
    struct probe late, later, now;

    fake_loop_pass(loop, 100 * NSEC_PER_MSEC);
    probe_init(&late, loop, "late");
    probe_init(&later, loop, "later");
    probe_init(&now, loop, "now");
    assert_int_equal(probe_at(&now, AIO_BOOT, 0), 0);
    assert_int_equal(aio_call_at(&loop->sched, &late.timer, AIO_BOOT, 1), 0);
    assert_int_equal(aio_call_at(&loop->sched, &later.timer, AIO_BOOT, 0), 0);
    fake_loop_turn(loop);
    assert_trace(loop, "100 later\n100 late\n100 now\n");
}

/* test_events: test_time_and_call_at, on each clock */
static void test_the_three_clocks_are_apart(void **state)
{
    struct fake_loop *loop = *state;
    struct probe boot, awake, wall;

    probe_init(&boot, loop, "boot");
    probe_init(&awake, loop, "awake");
    probe_init(&wall, loop, "wall");
    assert_int_equal(probe_at(&boot, AIO_BOOT, 20), 0);
    assert_int_equal(probe_at(&awake, AIO_AWAKE, 20), 0);
    assert_int_equal(probe_at(&wall, AIO_WALL, 20), 0);
    assert_int_equal(aio_sched_next(&loop->sched, AIO_WALL),
                     loop->now.ns[AIO_WALL] + 20 * NSEC_PER_MSEC);
    loop->now.ns[AIO_BOOT] += 20 * NSEC_PER_MSEC; /* suspended for 20 ms … */
    fake_loop_turn(loop);
    loop->now.ns[AIO_WALL] += 20 * NSEC_PER_MSEC; /* … and the wall clock set */
    fake_loop_turn(loop);
    assert_trace(loop, "0 boot\n0 wall\n");
    fake_loop_run(loop);
    assert_trace(loop, "20 awake\n");
    for (int clock = 0; clock < AIO_CLOCKS; clock++)
        assert_int_equal(aio_sched_next(&loop->sched, clock), UINT64_MAX);
}

static void probe_also_other(struct probe *probe)
{
    probe_soon(probe->other);
}

/* test_base_events: test__run_once_schedule_handle */
static void test_what_a_turn_adds_waits_for_the_next(void **state)
{
    struct fake_loop *loop = *state;
    struct probe first, last, added;

    probe_init(&first, loop, "first");
    probe_init(&last, loop, "last");
    probe_init(&added, loop, "added");
    first.also = probe_also_other;
    first.other = &added;
    probe_soon(&first);
    probe_soon(&last);
    assert_true(fake_loop_turn(loop));
    assert_trace(loop, "0 first\n0 last\n");
    assert_false(fake_loop_turn(loop));
    assert_trace(loop, "0 added\n");
}

/* test_base_events: test__run_once: due timers run behind what was ready, in the same turn */
static void test_due_timers_join_the_ready_queue(void **state)
{
    struct fake_loop *loop = *state;
    struct probe soon, due, added;

    probe_init(&soon, loop, "soon");
    probe_init(&due, loop, "due");
    probe_init(&added, loop, "added");
    soon.also = probe_also_other;
    soon.other = &added;
    assert_int_equal(probe_at(&due, AIO_AWAKE, 5), 0);
    probe_soon(&soon);
    fake_loop_pass(loop, 5 * NSEC_PER_MSEC);
    fake_loop_turn(loop);
    assert_trace(loop, "5 soon\n5 due\n");
    fake_loop_turn(loop);
    assert_trace(loop, "5 added\n");
}

static void probe_also_itself(struct probe *probe)
{
    if (++probe->times < 100)
        probe_soon(probe);
}

/* A callback that always queues itself runs once a turn: the shell gets to look at its
 * descriptors in between. */
static void test_the_ready_queue_is_a_snapshot(void **state)
{
    struct fake_loop *loop = *state;
    struct probe busy;

    probe_init(&busy, loop, "busy");
    busy.also = probe_also_itself;
    probe_soon(&busy);
    for (int turn = 1; turn < 100; turn++) {
        assert_true(fake_loop_turn(loop));
        assert_int_equal(busy.times, turn);
    }
    assert_false(fake_loop_turn(loop));
    fake_loop_trace(loop);
}

static void test_equal_deadlines_fire_in_order(void **state)
{
    enum { PROBES = 9 };
    struct fake_loop *loop = *state;
    struct probe probes[PROBES];
    static const char *const names[PROBES] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};

    for (int i = 0; i < PROBES; i++) {
        probe_init(&probes[i], loop, names[i]);
        assert_int_equal(probe_at(&probes[i], AIO_BOOT, 7), 0);
    }
    aio_timer_cancel(&loop->sched, &probes[3].timer);
    assert_int_equal(probe_at(&probes[0], AIO_BOOT, 7), 0); /* armed again: at the end */
    fake_loop_run(loop);
    assert_trace(loop, "7 2\n7 3\n7 5\n7 6\n7 7\n7 8\n7 9\n7 1\n");
}

/* test_base_events: test__run_once_cancelled_event_cleanup: none is left behind at all */
static void test_cancelled_timers_leave_nothing(void **state)
{
    enum { PROBES = 200 };
    struct fake_loop *loop = *state;
    static struct probe probes[PROBES];

    for (int i = 0; i < PROBES; i++) {
        probe_init(&probes[i], loop, "x");
        assert_int_equal(probe_at(&probes[i], AIO_AWAKE, (uint64_t)(1 + i * 37 % PROBES)), 0);
    }
    for (int i = 1; i < PROBES; i++)
        aio_timer_cancel(&loop->sched, &probes[i].timer);
    assert_int_equal(loop->sched.timers[AIO_AWAKE].len, 1);
    aio_timer_cancel(&loop->sched, &probes[1].timer); /* twice: nothing happens */
    fake_loop_run(loop);
    assert_trace(loop, "1 x\n");
}

static void probe_also_cancel(struct probe *probe)
{
    aio_handle_cancel(&probe->loop->sched, &probe->other->handle);
    aio_timer_cancel(&probe->loop->sched, &probe->other->timer);
}

static void test_cancel_within_the_turn(void **state)
{
    struct fake_loop *loop = *state;
    struct probe first, second, third;

    probe_init(&first, loop, "first");
    probe_init(&second, loop, "second");
    probe_init(&third, loop, "third");
    first.also = probe_also_cancel;
    first.other = &second;
    assert_int_equal(probe_at(&second, AIO_AWAKE, 0), 0); /* due: in the batch, after first */
    probe_soon(&first);
    probe_soon(&second);
    probe_soon(&third);
    assert_int_equal(loop->sched.ready_count, 3);
    fake_loop_turn(loop);
    assert_trace(loop, "0 first\n0 third\n");
    assert_int_equal(loop->sched.ready_count, 0);
}

static void test_zeroed_handles_and_timers_may_be_cancelled(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_handle handle = {.fn = NULL};
    struct aio_timer timer = {.when = 0};

    aio_handle_cancel(&loop->sched, &handle);
    aio_timer_cancel(&loop->sched, &timer);
    assert_int_equal(loop->sched.ready_count, 0);
}

/* The shell is told of work that appears outside a turn, and only of that. */
static void test_wake(void **state)
{
    struct fake_loop *loop = *state;
    struct probe a, b, early;

    probe_init(&a, loop, "a");
    probe_init(&b, loop, "b");
    probe_init(&early, loop, "early");
    probe_soon(&a);
    assert_int_equal(loop->wakes, 1);
    assert_int_equal(probe_at(&b, AIO_BOOT, 10), 0);
    assert_int_equal(loop->wakes, 2);
    assert_int_equal(probe_at(&early, AIO_BOOT, 5), 0); /* the earliest now */
    assert_int_equal(loop->wakes, 3);
    assert_int_equal(probe_at(&b, AIO_BOOT, 20), 0); /* not the earliest */
    assert_int_equal(loop->wakes, 3);
    aio_timer_cancel(&loop->sched, &early.timer);
    assert_int_equal(loop->wakes, 4);
    a.also = probe_also_other;
    a.other = &early;
    fake_loop_turn(loop); /* queues early: within the turn */
    assert_int_equal(loop->wakes, 4);
    fake_loop_run(loop);
    assert_trace(loop, "0 a\n0 early\n20 b\n");
}

static void test_done_forgets_what_is_queued(void **state)
{
    struct fake_loop *loop = *state;
    struct probe soon, later;

    probe_init(&soon, loop, "soon");
    probe_init(&later, loop, "later");
    probe_soon(&soon);
    assert_int_equal(probe_at(&later, AIO_WALL, 10), 0);
    aio_sched_done(&loop->sched);
    aio_handle_cancel(&loop->sched, &soon.handle);
    aio_timer_cancel(&loop->sched, &later.timer);
    assert_int_equal(loop->sched.ready_count, 0);
    aio_sched_done(&loop->sched); /* and may run twice */
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_call_soon_is_first_in_first_out),
        CASE(test_timers_fire_by_deadline),
        CASE(test_a_past_deadline_fires_in_the_next_turn),
        CASE(test_the_three_clocks_are_apart),
        CASE(test_what_a_turn_adds_waits_for_the_next),
        CASE(test_due_timers_join_the_ready_queue),
        CASE(test_the_ready_queue_is_a_snapshot),
        CASE(test_equal_deadlines_fire_in_order),
        CASE(test_cancelled_timers_leave_nothing),
        CASE(test_cancel_within_the_turn),
        CASE(test_zeroed_handles_and_timers_may_be_cancelled),
        CASE(test_wake),
        CASE(test_done_forgets_what_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
