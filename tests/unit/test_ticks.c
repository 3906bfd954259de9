/* SPDX-License-Identifier: MIT */
/*
 * The counter is used once it has been measured against the clock, where it is trusted, and says
 * what the clock says; where the two go apart it is measured anew. Both are the test's: a counter
 * of one tick a nanosecond, that begins at COUNTER when the clock says CLOCK.
 */
#include "daemon/aio/ticks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/defs.h"

#define CLOCK   (5 * NSEC_PER_SEC)
#define COUNTER (700 * NSEC_PER_SEC)

static void mark(struct aio_ticks *t, uint64_t ns)
{
    aio_ticks_mark(t, COUNTER + ns, CLOCK + ns);
}

static uint64_t told(const struct aio_ticks *t, uint64_t ns)
{
    return aio_ticks_at(t, COUNTER + ns) - CLOCK;
}

static struct aio_ticks measured(void)
{
    struct aio_ticks t = {.trusted = true};
    mark(&t, 0);
    mark(&t, 10 * NSEC_PER_MSEC);
    assert_true(t.scale == UINT64_C(1) << 32);
    return t;
}

static void test_measured_before_use(void **state)
{
    struct aio_ticks t = {.trusted = true};
    (void)state;
    mark(&t, 0);
    mark(&t, 9 * NSEC_PER_MSEC);
    assert_true(t.scale == 0);
    mark(&t, 10 * NSEC_PER_MSEC);
    assert_true(t.scale > 0);
    assert_int_equal(told(&t, 10 * NSEC_PER_MSEC), 10 * NSEC_PER_MSEC);
    assert_int_equal(told(&t, 10 * NSEC_PER_MSEC + 123), 10 * NSEC_PER_MSEC + 123);
}

/* The clock was read 1000 ns before the counter at first, and never again. */
static void test_measured_better(void **state)
{
    struct aio_ticks t = {.trusted = true};
    (void)state;
    aio_ticks_mark(&t, COUNTER + 1000, CLOCK);
    mark(&t, 10 * NSEC_PER_MSEC);
    uint64_t soon = t.scale;
    mark(&t, 999 * NSEC_PER_MSEC);
    assert_true(t.scale == soon);
    mark(&t, 1000 * NSEC_PER_MSEC);
    assert_true(t.scale < soon && t.scale > UINT64_C(1) << 32);
    uint64_t later = t.scale;
    mark(&t, 5000 * NSEC_PER_MSEC); /* it is good enough */
    assert_true(t.scale == later);
}

static void test_behind(void **state)
{
    struct aio_ticks t = measured();
    (void)state;
    assert_int_equal(told(&t, 9 * NSEC_PER_MSEC), 10 * NSEC_PER_MSEC);
}

static void test_adjusted_clock(void **state)
{
    struct aio_ticks t = measured();
    (void)state;
    /* an hour in which the clock was slewed by 500 millionths, as much as it ever is */
    aio_ticks_mark(&t, COUNTER + 3600 * NSEC_PER_SEC,
                   CLOCK + 3600 * NSEC_PER_SEC + 1800 * NSEC_PER_MSEC);
    assert_true(t.scale > 0);
}

/* From such a mark on it is measured again, as at first. */
static void check_anew(uint64_t ticks, uint64_t now_ns)
{
    struct aio_ticks t = measured();
    aio_ticks_mark(&t, ticks, now_ns);
    assert_true(t.scale == 0 && t.trusted);
    aio_ticks_mark(&t, ticks + 9 * NSEC_PER_MSEC, now_ns + 9 * NSEC_PER_MSEC);
    assert_true(t.scale == 0);
    aio_ticks_mark(&t, ticks + 10 * NSEC_PER_MSEC, now_ns + 10 * NSEC_PER_MSEC);
    assert_true(t.scale == UINT64_C(1) << 32);
}

static void test_apart(void **state)
{
    uint64_t ns = 20 * NSEC_PER_MSEC;
    (void)state;
    check_anew(COUNTER + ns + NSEC_PER_SEC, CLOCK + ns); /* it counted while suspended */
    check_anew(COUNTER + ns, CLOCK + ns + 2 * NSEC_PER_MSEC);
    check_anew(1000, CLOCK + ns); /* it began anew */
    check_anew(COUNTER + 10 * NSEC_PER_MSEC - 1, CLOCK + 10 * NSEC_PER_MSEC);
}

static void test_not_trusted(void **state)
{
    struct aio_ticks t = {.trusted = false};
    (void)state;
    for (uint64_t s = 1; s < 5; s++)
        mark(&t, s * NSEC_PER_SEC);
    assert_true(t.scale == 0);
}

static void test_init(void **state)
{
    struct aio_ticks t;
    (void)state;
    aio_ticks_init(&t);
    assert_true(t.scale == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measured_before_use),
        cmocka_unit_test(test_measured_better),
        cmocka_unit_test(test_behind),
        cmocka_unit_test(test_adjusted_clock),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_not_trusted),
        cmocka_unit_test(test_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
