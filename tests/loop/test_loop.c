/* SPDX-License-Identifier: MIT */
/*
 * The real loop: timers on each clock, starting and stopping, idleness. CPython cases are named
 * where they are ported.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "daemon/aio/sleep.h"
#include "tests/support/real_loop.h"

struct fixture {
    struct real_loop real;
    struct aio_handle handle;
    uv_poll_t poll;
    uint64_t count;
};

static int setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.count = 0};
    real_loop_init(&fixture.real);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    real_loop_done(&fixture->real);
    return 0;
}

static uint64_t clock_of(enum aio_clock clock)
{
    return clock == AIO_BOOT ? clock_boot() : clock == AIO_AWAKE ? clock_awake() : clock_wall();
}

/* test_events: test_call_later, test_time_and_call_at */
static void test_sleep_on_each_clock(void **state)
{
    struct fixture *fixture = *state;

    for (int clock = 0; clock < AIO_CLOCKS; clock++) {
        uint64_t start = clock_of(clock);
        int err = real_loop_run(&fixture->real, aio_sleep(clock, 15 * NSEC_PER_MSEC));
        assert_int_equal(err, 0);
        assert_true(clock_of(clock) - start >= 15 * NSEC_PER_MSEC);

        uint64_t until = clock_of(clock) + 5 * NSEC_PER_MSEC;
        assert_int_equal(real_loop_run(&fixture->real, aio_sleep_until(clock, until)), 0);
        assert_true(clock_of(clock) >= until);
        assert_int_equal(real_loop_run(&fixture->real, aio_sleep_until(clock, 0)),
                         0); /* passed */
        assert_true(fixture->real.loop.armed[clock] == UINT64_MAX);
    }
}

static void handle_stop(struct aio_handle *handle)
{
    struct fixture *fixture = container_of(handle, struct fixture, handle);

    fixture->count++;
    aio_loop_stop(&fixture->real.loop);
}

static bool timerfd_is_armed(const struct fixture *fixture, enum aio_clock clock)
{
    struct itimerspec spec = {.it_value = {0}};

    assert_int_equal(timerfd_gettime(fixture->real.loop.timerfd[clock], &spec), 0);
    return spec.it_value.tv_sec || spec.it_value.tv_nsec;
}

static void timer_ignored(struct aio_handle *handle)
{
    (void)handle;
}

/* A timerfd is armed while its clock has a deadline, and follows the earliest. */
static void test_timerfds_follow_the_deadlines(void **state)
{
    struct fixture *fixture = *state;
    struct aio_loop *loop = &fixture->real.loop;
    struct aio_timer early, late;
    struct itimerspec disarmed = {.it_value = {0}};
    uint64_t far = clock_boot() + 3600 * NSEC_PER_SEC;

    aio_handle_init(&fixture->handle, handle_stop);
    aio_timer_init(&early, timer_ignored);
    aio_timer_init(&late, timer_ignored);
    assert_int_equal(aio_call_at(&loop->sched, &late, AIO_BOOT, far), 0);
    aio_call_soon(&loop->sched, &fixture->handle);
    aio_loop_run(loop);
    assert_true(loop->armed[AIO_BOOT] == far);
    assert_true(timerfd_is_armed(fixture, AIO_BOOT));
    assert_false(timerfd_is_armed(fixture, AIO_AWAKE));

    assert_int_equal(aio_call_at(&loop->sched, &early, AIO_BOOT, far - 1), 0);
    aio_call_soon(&loop->sched, &fixture->handle);
    aio_loop_run(loop);
    assert_true(loop->armed[AIO_BOOT] == far - 1);

    /* While the earliest stays the same the timerfd is not touched. */
    assert_int_equal(timerfd_settime(loop->timerfd[AIO_BOOT], 0, &disarmed, NULL), 0);
    aio_timer_cancel(&loop->sched, &late);
    aio_call_soon(&loop->sched, &fixture->handle);
    aio_loop_run(loop);
    assert_false(timerfd_is_armed(fixture, AIO_BOOT));

    aio_timer_cancel(&loop->sched, &early);
    aio_call_soon(&loop->sched, &fixture->handle);
    aio_loop_run(loop);
    assert_true(loop->armed[AIO_BOOT] == UINT64_MAX);
    assert_false(timerfd_is_armed(fixture, AIO_BOOT));
}

/* The flags of timerfd_settime(2), as the kernel shows them. */
static unsigned timerfd_flags(const struct fixture *fixture, enum aio_clock clock)
{
    char path[64], line[128];
    unsigned flags = 0;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fixture->real.loop.timerfd[clock]);
    FILE *info = fopen(path, "re");
    assert_non_null(info);
    while (fgets(line, sizeof(line), info))
        if (strncmp(line, "settime flags:", 14) == 0)
            flags = (unsigned)strtoul(line + 14, NULL, 8);
    fclose(info);
    return flags;
}

/* Somebody who sets the wall clock wakes those who wait for it, and only those. */
static void test_setting_the_wall_clock_wakes(void **state)
{
    struct fixture *fixture = *state;
    struct aio_loop *loop = &fixture->real.loop;
    struct aio_timer timers[AIO_CLOCKS];

    aio_handle_init(&fixture->handle, handle_stop);
    for (int clock = 0; clock < AIO_CLOCKS; clock++) {
        aio_timer_init(&timers[clock], timer_ignored);
        int r = aio_call_at(&loop->sched, &timers[clock], clock, UINT64_MAX - 1);
        assert_int_equal(r, 0);
    }
    aio_call_soon(&loop->sched, &fixture->handle);
    aio_loop_run(loop);
    assert_int_equal(timerfd_flags(fixture, AIO_WALL),
                     TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
    assert_int_equal(timerfd_flags(fixture, AIO_BOOT), TFD_TIMER_ABSTIME);
    assert_int_equal(timerfd_flags(fixture, AIO_AWAKE), TFD_TIMER_ABSTIME);
    for (int clock = 0; clock < AIO_CLOCKS; clock++)
        aio_timer_cancel(&loop->sched, &timers[clock]);
}

/* test_base_events: test_run_forever_pre_stopped: exactly one turn */
static void test_stopped_before_it_runs(void **state)
{
    struct fixture *fixture = *state;

    aio_handle_init(&fixture->handle, handle_stop);
    aio_loop_stop(&fixture->real.loop);
    aio_loop_run(&fixture->real.loop); /* nothing to do: returns */
    aio_loop_stop(&fixture->real.loop);
    aio_call_soon(&fixture->real.loop.sched, &fixture->handle);
    aio_loop_run(&fixture->real.loop);
    assert_int_equal(fixture->count, 1);
}

/* test_base_events: test_run_forever: stopping ends the turn that runs, not in its middle */
static void test_stop_finishes_the_turn(void **state)
{
    struct fixture *fixture = *state;
    struct fixture other = {.count = 0};

    aio_handle_init(&fixture->handle, handle_stop);
    aio_handle_init(&other.handle, handle_stop);
    aio_call_soon(&fixture->real.loop.sched, &fixture->handle);
    aio_call_soon(&fixture->real.loop.sched, &other.handle);
    aio_loop_run(&fixture->real.loop);
    assert_int_equal(fixture->count, 1);
    assert_int_equal(other.count, 1);
}

/* ---- idleness ---- */

static long fixture_switches(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* A loop that waits for a timer sleeps in one poll: it takes no turn before. */
static void test_idle(void **state)
{
    struct fixture *fixture = *state;
    struct aio_loop *loop = &fixture->real.loop;
    uint64_t start = clock_awake();
    long switches = fixture_switches();

    assert_int_equal(real_loop_run(&fixture->real, aio_sleep(AIO_AWAKE, 200 * NSEC_PER_MSEC)),
                     0);
    uint64_t took = clock_awake() - start;
    assert_int_equal(loop->sched.steps, 2);
    assert_true(fixture_switches() - switches < 50); /* noise of the machine included */
    assert_true(loop->lag_max_ns > 0);
    assert_true(loop->lag_max_ns < took);
}

static void idle_nothing(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
}

static void poll_closed(uv_handle_t *handle)
{
    (*(uint64_t *)handle->data)++;
}

static void test_close_with_a_foreign_handle(void **state)
{
    struct fixture *fixture = *state;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    assert_int_equal(uv_poll_init(&fixture->real.loop.uv, &fixture->poll, fd), 0);
    uv_poll_start(&fixture->poll, UV_READABLE, idle_nothing);
    assert_int_equal(aio_loop_close(&fixture->real.loop), -EBUSY);
    fixture->poll.data = &fixture->count;
    uv_close((uv_handle_t *)&fixture->poll, poll_closed);
    uv_run(&fixture->real.loop.uv, UV_RUN_DEFAULT);
    assert_int_equal(fixture->count, 1);
    assert_int_equal(aio_loop_close(&fixture->real.loop), 0);
    defs_closep(&fd);
    assert_int_equal(aio_loop_init(&fixture->real.loop), 0); /* for the teardown */
}

/* Each timerfd that can't be opened is an error, and the eventfd, and leaves nothing open. Fewer descriptors
 * than libuv itself wants are not tried: its 1.44 loses one then. */
static void test_init_without_descriptors(void **state)
{
    enum { LIMIT = 64, OWN = AIO_CLOCKS + 1 };
    struct rlimit old, limit;
    struct aio_loop loop;
    uv_loop_t uv;
    int held[LIMIT], last = 0;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = (struct rlimit){.rlim_cur = LIMIT, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(uv_loop_init(&uv), 0); /* holds the place of what libuv wants */
    while ((held[last] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        last++;
    assert_int_equal(uv_loop_close(&uv), 0);
    for (int had = 0; had <= OWN; had++) {
        int r = aio_loop_init(&loop);
        if (r == 0)
            assert_int_equal(aio_loop_close(&loop), 0);
        assert_int_equal(r, had < OWN ? -EMFILE : 0);
        defs_closep(&held[--last]); /* one more for the next; a leak would be in its place */
    }
    while (last > 0)
        defs_closep(&held[--last]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sleep_on_each_clock),          CASE(test_timerfds_follow_the_deadlines),
        CASE(test_setting_the_wall_clock_wakes), CASE(test_stopped_before_it_runs),
        CASE(test_stop_finishes_the_turn),       CASE(test_idle),
        CASE(test_close_with_a_foreign_handle),  CASE(test_init_without_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
