/* SPDX-License-Identifier: MIT */
/*
 * test_parse - tables of texts with what they mean, or with the error; local times in a zone of
 * our own with summer time (no zone files needed).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/parse.h"

enum { UNTOUCHED = 4711 };

typedef int parse_fn(const char *text, uint64_t *ret);

struct parse_case {
    const char *text;
    int result;
    uint64_t value; /* where result is 0 */
};

static void check_cases(parse_fn *parse, const struct parse_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct parse_case *c = &cases[i];
        uint64_t got = UNTOUCHED;
        int r = parse(c->text, &got);
        if (r != c->result || got != (r == 0 ? c->value : UNTOUCHED))
            fail_msg("\"%s\" gave %d, %llu", c->text, r, (unsigned long long)got);
    }
}

static void reads_integers(void **state)
{
    (void)state;
    static const struct parse_case cases[] = {
        {"0", 0, 0},
        {"7", 0, 7},
        {"007", 0, 7},
        {"18446744073709551615", 0, UINT64_MAX},
        {"000000000000000000000000000001", 0, 1},
        {"18446744073709551616", -ERANGE, 0},
        {"99999999999999999999999999", -ERANGE, 0},
        {"99999999999999999999999999x", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1.0", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
        {"\xd9\xa1", -EINVAL, 0},
    };
    check_cases(parse_u64, cases, ARRAY_SIZE(cases));
}

#define MS  NSEC_PER_MSEC
#define SEC NSEC_PER_SEC

static const struct parse_case duration_cases[] = {
    {"0", 0, 0},
    {"90", 0, 90 * SEC},
    {"1.5", 0, 1500 * MS},
    {"2.5", 0, 2500 * MS},
    {".5", 0, 500 * MS},
    {"250ms", 0, 250 * MS},
    {"0.5ms", 0, MS / 2},
    {"10s", 0, 10 * SEC},
    {"5m", 0, 300 * SEC},
    {"2h", 0, 7200 * SEC},
    {"1d", 0, 86400 * SEC},
    {"1w", 0, 604800 * SEC},
    {"1.5h", 0, 5400 * SEC},
    {"1h30m", 0, 5400 * SEC},
    {"1h0.5m", 0, 3630 * SEC},
    {"6d04h", 0, (6 * 24 + 4) * 3600 * SEC},
    {"1w1d1h1m1s1ms", 0, (604800 + 86400 + 3600 + 60 + 1) * SEC + MS},
    {"1h90m", 0, 9000 * SEC},
    {"0.000000001", 0, 1},
    {"0.0000000019999999999999999999999", 0, 1},
    {"0.333333333333333333w", 0, 201599999999999},
    {"36600d", 0, PARSE_DURATION_MAX_NS},
    {"36600d1ms", -ERANGE, 0},
    {"36600.000000001d", -ERANGE, 0},
    {"3162240000.000000001", -ERANGE, 0},
    {"99999999999999999999999w", -ERANGE, 0},
    {"30500568w30500568d", -ERANGE, 0}, /* wraps around 2^64 more than once */
    {"99999999999999999999999w1", -EINVAL, 0},
    {"", -EINVAL, 0},
    {".", -EINVAL, 0},
    {"1.", -EINVAL, 0},
    {"1.s", -EINVAL, 0},
    {".s", -EINVAL, 0},
    {"s", -EINVAL, 0},
    {"-1", -EINVAL, 0},
    {"+1s", -EINVAL, 0},
    {"1us", -EINVAL, 0},
    {"1S", -EINVAL, 0},
    {"1sec", -EINVAL, 0},
    {"1y", -EINVAL, 0},
    {"1h30", -EINVAL, 0},
    {"30m1h", -EINVAL, 0},
    {"1h1h", -EINVAL, 0},
    {"1ms1s", -EINVAL, 0},
    {"1.5h30m", -EINVAL, 0},
    {"1 h", -EINVAL, 0},
    {"1h 30m", -EINVAL, 0},
    {" 1h", -EINVAL, 0},
    {"1h ", -EINVAL, 0},
    {"1..5", -EINVAL, 0},
    {"1.5.5", -EINVAL, 0},
    {"1,5", -EINVAL, 0},
    {"1e3", -EINVAL, 0},
    {"inf", -EINVAL, 0},
    {"nan", -EINVAL, 0},
    {"0x10", -EINVAL, 0},
    {"1m\xc2\xb5s", -EINVAL, 0},
};

static void reads_durations(void **state)
{
    (void)state;
    check_cases(parse_duration, duration_cases, ARRAY_SIZE(duration_cases));
}

static void reads_sizes(void **state)
{
    (void)state;
    static const struct parse_case cases[] = {
        {"0", 0, 0},
        {"512", 0, 512},
        {"64K", 0, 65536},
        {"64KiB", 0, 65536},
        {"1M", 0, 1 << 20},
        {"1MiB", 0, 1 << 20},
        {"2G", 0, UINT64_C(2) << 30},
        {"3TiB", 0, UINT64_C(3) << 40},
        {"18446744073709551615", 0, UINT64_MAX},
        {"16777215T", 0, UINT64_C(16777215) << 40},
        {"16777216T", -ERANGE, 0},
        {"18446744073709551616", -ERANGE, 0},
        {"18446744073709551615K", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"K", -EINVAL, 0},
        {"1k", -EINVAL, 0},
        {"1KB", -EINVAL, 0},
        {"1Ki", -EINVAL, 0},
        {"1KiBx", -EINVAL, 0},
        {"1iB", -EINVAL, 0},
        {"1B", -EINVAL, 0},
        {"1.5K", -EINVAL, 0},
        {"1 K", -EINVAL, 0},
        {"-1K", -EINVAL, 0},
        {"1P", -EINVAL, 0},
        {"99999999999999999999x", -EINVAL, 0},
    };
    check_cases(parse_size, cases, ARRAY_SIZE(cases));
}

/* ---- times ---- */

/* One hour ahead of UTC, two in summer: from the last Sunday of March at 02:00 (2025-03-30) to
 * that of October at 03:00 (2025-10-26). */
#define ZONE "CET-1CEST,M3.5.0,M10.5.0/3"

struct time_case {
    time_t now;
    const char *text;
    int result;
    int64_t sec;
};

static void check_times(const char *zone, const struct time_case *cases, size_t n)
{
    setenv("TZ", zone, 1);
    for (size_t i = 0; i < n; i++) {
        const struct time_case *c = &cases[i];
        uint64_t got = UNTOUCHED;
        uint64_t wanted = c->result == 0 ? (uint64_t)c->sec * SEC : UNTOUCHED;
        int r = parse_time(c->text, c->now, &got);
        if (r != c->result || got != wanted)
            fail_msg("\"%s\" at %lld gave %d, %llu s", c->text, (long long)c->now, r,
                     (unsigned long long)(got / SEC));
    }
    unsetenv("TZ");
}

enum {
    NOON = 1749981600,   /* 2025-06-15 12:00:00 +02:00, 10:00 UTC */
    SPRING = 1743289200, /* 2025-03-30 00:00:00 +01:00 */
    AUTUMN = 1761429600, /* 2025-10-26 00:00:00 +02:00 */
};

static void reads_absolute_times(void **state)
{
    (void)state;
    static const struct time_case cases[] = {
        {NOON, "@0", 0, 0},
        {NOON, "@1749981600", 0, NOON},
        {NOON, "@9223372035", 0, 9223372035},
        {NOON, "@9223372036", -ERANGE, 0},
        {NOON, "@18446744073709551616", -ERANGE, 0},
        {NOON, "1970-01-01T00:00:00Z", 0, 0},
        {NOON, "1970-01-01T00:00Z", 0, 0},
        {NOON, "1970-01-01 01:00:00+01:00", 0, 0},
        {NOON, "1969-12-31T23:00:00-01:00", 0, 0},
        {NOON, "1969-12-31T23:59:59Z", -ERANGE, 0},
        {NOON, "2025-06-15T10:00:00Z", 0, NOON},
        {NOON, "2025-06-15T12:00:00+02:00", 0, NOON},
        {NOON, "2025-06-15 04:30-05:30", 0, NOON},
        {NOON, "2025-06-15 12:00", 0, NOON},
        {NOON, "2025-06-15T12:00:07", 0, NOON + 7},
        {NOON, "2025-01-15 12:00", 0, 1736938800},
        {NOON, "2024-02-29T00:00:00Z", 0, 1709164800},
        {NOON, "2000-02-29T00:00:00Z", 0, 951782400},
        {NOON, "2262-01-01T00:00:00Z", 0, 9214646400},
        {NOON, "2263-01-01T00:00:00Z", -ERANGE, 0},
        {NOON, "9999-12-31 23:59", -ERANGE, 0},
    };
    check_times(ZONE, cases, ARRAY_SIZE(cases));
}

static const char *const wrong_times[] = {
    "",
    "@",
    "@-1",
    "@1.5",
    "@ 1",
    "now",
    "12",
    "12:",
    "12:0",
    "1:00",
    "12:00:",
    "12:00:0",
    "12:00:00:00",
    "12:00 ",
    " 12:00",
    "24:00",
    "12:60",
    "12:00:60",
    "12:00Z",
    "12:00:00.5",
    "tomorrow",
    "tomorrow ",
    "tomorrow  12:00",
    "tomorrow 25:00",
    "tomorrow 12:00Z",
    "2025-06-15",
    "2025-06-15T",
    "2025-06-15  12:00",
    "2025-06-15t12:00",
    "2025-6-15 12:00",
    "25-06-15 12:00",
    "2025-00-15 12:00",
    "2025-13-15 12:00",
    "2025-06-00 12:00",
    "2025-06-31 12:00",
    "2025-02-29 12:00",
    "2100-02-29 12:00Z",
    "2025-06-15 24:00",
    "2025-06-15 12:00z",
    "2025-06-15 12:00 Z",
    "2025-06-15 12:00ZZ",
    "2025-06-15 12:00+2",
    "2025-06-15 12:00+0200",
    "2025-06-15 12:00+24:00",
    "2025-06-15 12:00+02:60",
    "2025-06-15 12:00+-2:00",
    "2025-06-15 12:00.5Z",
    "2025-06-15 12:00:00.Z",
    "2025-06-15 12:00:00.",
    "+2025-06-15 12:00",
};

static void refuses_times(void **state)
{
    (void)state;
    setenv("TZ", ZONE, 1);
    for (size_t i = 0; i < ARRAY_SIZE(wrong_times); i++) {
        uint64_t got = UNTOUCHED;
        int r = parse_time(wrong_times[i], NOON, &got);
        if (r != -EINVAL || got != UNTOUCHED)
            fail_msg("\"%s\" gave %d", wrong_times[i], r);
    }
    unsetenv("TZ");
}

static void reads_fractions_of_rfc_3339(void **state)
{
    (void)state;
    uint64_t ns = 0;
    assert_int_equal(parse_time("2025-06-15T10:00:00.123Z", 0, &ns), 0);
    assert_true(ns == NOON * SEC + 123 * MS);
    assert_int_equal(parse_time("2025-06-15T10:00:00.000000001+00:00", 0, &ns), 0);
    assert_true(ns == NOON * SEC + 1);
    assert_int_equal(parse_time("2025-06-15T10:00:00.99999999999999Z", 0, &ns), 0);
    assert_true(ns == NOON * SEC + SEC - 1);
}

static void finds_the_next_time_of_day(void **state)
{
    (void)state;
    static const struct time_case cases[] = {
        {NOON, "12:00:01", 0, NOON + 1},
        {NOON, "12:00", 0, NOON + 86400}, /* after now, not now */
        {NOON - 1, "12:00", 0, NOON},
        {NOON, "11:59:59", 0, NOON + 86399},
        {NOON, "23:00", 0, NOON + 11 * 3600},
        {NOON, "00:00", 0, NOON + 12 * 3600},
        {NOON, "tomorrow 00:00", 0, NOON + 12 * 3600},
        {NOON, "tomorrow 12:00", 0, NOON + 86400},
        {NOON, "tomorrow 23:59:59", 0, NOON + 86400 + 12 * 3600 - 1},
    };
    check_times(ZONE, cases, ARRAY_SIZE(cases));
}

static void crosses_months_and_years(void **state)
{
    (void)state;
    static const struct time_case cases[] = {
        {1767225599, "tomorrow 06:00", 0, 1767247200}, /* 2025-12-31 23:59:59 */
        {1767225600, "tomorrow 06:00", 0, 1767333600}, /* 2026-01-01 00:00:00 */
        {1767225599, "06:00", 0, 1767247200},
        {1709164799, "00:00", 0, 1709164800},          /* 2024-02-28 23:59:59 */
        {1709164799, "tomorrow 00:00", 0, 1709164800}, /* the 29th */
    };
    check_times("UTC0", cases, ARRAY_SIZE(cases));
}

static void follows_summer_time(void **state)
{
    (void)state;
    static const struct time_case cases[] = {
        /* 02:00 to 03:00 does not exist */
        {SPRING, "2025-03-30 01:59:59", 0, SPRING + 7199},
        {SPRING, "2025-03-30 02:00", -EINVAL, 0},
        {SPRING, "2025-03-30 02:30", -EINVAL, 0},
        {SPRING, "2025-03-30 03:00", 0, SPRING + 7200},
        {SPRING, "03:00", 0, SPRING + 7200},
        {SPRING, "02:30", 0, SPRING + 86400 + 5400}, /* the next one is on the day after */
        {SPRING - 3600, "tomorrow 02:30", -EINVAL, 0},
        {SPRING, "tomorrow 00:00", 0, SPRING + 23 * 3600},
        /* 02:00 to 03:00 comes twice */
        {AUTUMN, "2025-10-26 02:30", 0, AUTUMN + 9000},
        {AUTUMN, "2025-10-26 02:30+01:00", 0, AUTUMN + 9000 + 3600},
        {AUTUMN, "02:30", 0, AUTUMN + 9000},
        {AUTUMN + 9000, "02:30", 0, AUTUMN + 9000 + 3600},
        {AUTUMN + 9000 + 3600, "02:30", 0, AUTUMN + 9000 + 25 * 3600},
        {AUTUMN, "tomorrow 00:00", 0, AUTUMN + 25 * 3600},
    };
    check_times(ZONE, cases, ARRAY_SIZE(cases));
}

/* ---- printing ---- */

static void prints_durations(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0ms"},
        {MS - 1, "0ms"},
        {850 * MS, "850ms"},
        {SEC - 1, "999ms"},
        {SEC, "1s"},
        {3 * SEC + 999 * MS, "3s"},
        {60 * SEC - 1, "59s"},
        {60 * SEC, "1m00s"},
        {72 * SEC, "1m12s"},
        {3600 * SEC - 1, "59m59s"},
        {3600 * SEC, "1h00m"},
        {(2 * 3600 + 39 * 60 + 59) * SEC, "2h39m"},
        {86400 * SEC - 1, "23h59m"},
        {86400 * SEC, "1d00h"},
        {(6 * 24 + 4) * 3600 * SEC, "6d04h"},
        {PARSE_DURATION_MAX_NS, "36600d00h"},
        {UINT64_MAX, "213503d23h"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[FORMAT_DURATION_MAX];
        uint64_t back = 0;
        assert_ptr_equal(format_duration(text, cases[i].ns), text);
        assert_string_equal(text, cases[i].text);
        int r = parse_duration(text, &back); /* what we print, we read */
        assert_int_equal(r, cases[i].ns > PARSE_DURATION_MAX_NS ? -ERANGE : 0);
        assert_true(back <= cases[i].ns);
    }
}

static void prints_sizes(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {812, "812 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {2200, "2.1 KiB"},
        {10239, "9.9 KiB"},
        {10240, "10 KiB"},
        {(1 << 20) - 1, "1023 KiB"},
        {1 << 20, "1.0 MiB"},
        {41 << 20, "41 MiB"},
        {UINT64_C(3) << 30, "3.0 GiB"},
        {UINT64_C(5) << 40, "5.0 TiB"},
        {UINT64_C(7) << 50, "7.0 PiB"},
        {UINT64_MAX, "15 EiB"},
        {(UINT64_C(10) << 60) - 1, "9.9 EiB"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[FORMAT_SIZE_MAX];
        assert_ptr_equal(format_size(text, cases[i].bytes), text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(reads_absolute_times),
        cmocka_unit_test(refuses_times),
        cmocka_unit_test(reads_fractions_of_rfc_3339),
        cmocka_unit_test(finds_the_next_time_of_day),
        cmocka_unit_test(crosses_months_and_years),
        cmocka_unit_test(follows_summer_time),
        cmocka_unit_test(prints_durations),
        cmocka_unit_test(prints_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
