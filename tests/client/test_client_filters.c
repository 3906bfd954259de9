/* SPDX-License-Identifier: MIT */
/*
 * What picks tasks: times that have been, states and outcomes, words that mean few; and the
 * picture of --watch on terminals of any height.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/defs.h"
#include "client/filters.h"
#include "client/picked.h"
#include "client/screen.h"
#include "client/when.h"

#define NOW "2025-11-23T23:41:07Z" /* a Sunday */

static struct view view_at(const char *now, const char *zone)
{
    (void)setenv("TZ", zone, 1);
    tzset();
    return (struct view){.now_ns = when_read((struct bytes){now, strlen(now)}),
                         .local = localtime_r};
}

static void check_past(const struct view *view, const char *text, const char *expected)
{
    uint64_t ns = 0;
    int r = when_past(text, view, &ns);
    assert_int_equal(r, expected ? 0 : -EINVAL);
    if (expected)
        assert_int_equal(ns, when_read((struct bytes){expected, strlen(expected)}));
}

static void test_past(void **state)
{
    (void)state;
    struct view utc = view_at(NOW, "UTC");
    check_past(&utc, "14:00", "2025-11-23T14:00:00Z");
    check_past(&utc, "23:41:07", "2025-11-23T23:41:07Z");
    check_past(&utc, "23:41:08", "2025-11-22T23:41:08Z"); /* the last one */
    check_past(&utc, "today", "2025-11-23T00:00:00Z");
    check_past(&utc, "yesterday", "2025-11-22T00:00:00Z");
    check_past(&utc, "yesterday 08:30", "2025-11-22T08:30:00Z");
    check_past(&utc, "today 09:00:01", "2025-11-23T09:00:01Z");
    check_past(&utc, "2025-10-01", "2025-10-01T00:00:00Z");
    check_past(&utc, "2025-10-01 12:00", "2025-10-01T12:00:00Z");
    check_past(&utc, "2025-10-01T12:00:00.5+02:00", "2025-10-01T10:00:00.5Z");
    check_past(&utc, "@86400", "1970-01-02T00:00:00Z");
    static const char *const none[] = {"",         "14",         "25:00",
                                       "today 8",  "todays",     "tomorrow 08:00",
                                       "tomorrow", "2025-13-01", "2025-10-01 "};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++)
        check_past(&utc, none[i], NULL);
}

/* The day is the caller's; its clock may jump. */
static void test_past_zones(void **state)
{
    (void)state;
    struct view berlin = view_at("2025-10-26T11:00:00Z", "CET-1CEST,M3.5.0,M10.5.0/3");
    check_past(&berlin, "today", "2025-10-25T22:00:00Z"); /* summer time ended in between */
    check_past(&berlin, "yesterday", "2025-10-24T22:00:00Z");
    check_past(&berlin, "12:00", "2025-10-26T11:00:00Z");
    struct view beirut = view_at("2025-03-30T09:00:00Z", "EET-2EEST,M3.5.0/0,M10.5.0/0");
    check_past(&beirut, "today", "2025-03-29T22:00:00Z"); /* 00:00 was 01:00 */
    assert_int_equal(when_midnight(&beirut),
                     when_read((struct bytes){"2025-03-29T22:00:00Z", 20}));
}

static int apply(const struct filters *f, struct pages_query *q, struct err *err)
{
    struct view view = view_at(NOW, "UTC");
    *q = (struct pages_query){0};
    *err = (struct err)ERR_INIT;
    return filters_apply(f, &view, q, err);
}

static void test_states(void **state)
{
    (void)state;
    struct pages_query q;
    struct err err;
    assert_int_equal(apply(&(struct filters){0}, &q, &err), 0);
    assert_int_equal(q.states | q.outcomes, 0);
    assert_int_equal(apply(&(struct filters){.done = true}, &q, &err), 0);
    assert_int_equal(q.states, PAGES_DONE);
    assert_int_equal(apply(&(struct filters){.failed = true, .live = true}, &q, &err), 0);
    assert_int_equal(q.states, PAGES_DONE | PAGES_LIVE);
    assert_int_equal(q.outcomes, PAGES_FAILED);
    const char *lists[] = {"running,PENDING", "suspended"};
    assert_int_equal(apply(&(struct filters){.states = {lists, 2}}, &q, &err), 0);
    assert_int_equal(q.states, PAGES_LIVE);
    static const char *const wrong[] = {"runnin", "running,", ",", "", "ok"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        const char *list = wrong[i];
        assert_int_equal(apply(&(struct filters){.states = {&list, 1}}, &q, &err), -EINVAL);
        assert_non_null(strstr(err.msg, "--state"));
    }
}

static void test_times(void **state)
{
    (void)state;
    struct pages_query q;
    struct err err;
    const uint64_t now = view_at(NOW, "UTC").now_ns;
    assert_int_equal(apply(&(struct filters){.since = "2h", .until = "90"}, &q, &err), 0);
    assert_int_equal(q.since_ns, now - 7200 * NSEC_PER_SEC);
    assert_int_equal(q.until_ns, now - 90 * NSEC_PER_SEC);
    struct filters older = {.older = {true, 86400 * NSEC_PER_SEC}};
    assert_int_equal(apply(&older, &q, &err), 0);
    assert_int_equal(q.until_ns, now - 86400 * NSEC_PER_SEC);
    older.until = "1h";
    assert_int_equal(apply(&older, &q, &err), -EINVAL);
    assert_int_equal(apply(&(struct filters){.since = "90y"}, &q, &err), -EINVAL);
    assert_int_equal(apply(&(struct filters){.since = "5m", .until = "1h"}, &q, &err), -EINVAL);
    /* before 1970 is the beginning, not everything */
    assert_int_equal(apply(&(struct filters){.since = "36500d"}, &q, &err), 0);
    assert_int_equal(q.since_ns, 1);
}

static void test_any(void **state)
{
    (void)state;
    const struct filters group = {.group = "g"};
    const struct filters ok = {.ok = true};
    assert_false(filters_any(&group, false));
    assert_true(filters_any(&group, true));
    assert_true(filters_any(&ok, false) && filters_of_state(&ok));
    assert_false(filters_of_state(&(struct filters){.since = "1h"}));
}

static void test_few(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool few;
    } cases[] = {
        {"7", true},
        {"1-4000", true},
        {"1-4001", false},
        {"all", false},
        {"last 7 3-9", true},
        {"nightly", false},
        {"9-3", false},
        {"1-3000 2-3000", false},
        {"b-2", false},
        {"7 all", false},
        {"0-18446744073709551615", false},
        {"18446744073709551616", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char line[64];
        char *words[3];
        size_t n = 0;
        (void)snprintf(line, sizeof(line), "%s", cases[i].line);
        for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
            words[n++] = word;
        assert_int_equal(picked_few(words, n), cases[i].few);
    }
}

static void check_screen(const char *text, size_t rows, const char *expected)
{
    struct buf b = BUF_INIT;
    screen_render(&b, text, strlen(text), rows);
    assert_string_equal(buf_cstr(&b), expected);
    buf_done(&b);
}

/* Nothing is blanked before it is written, and the last row stays free for the cursor. */
static void test_screen(void **state)
{
    (void)state;
    check_screen("one\ntwo\n", 3, "\x1b[H\x1b[?7lone\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[?7h");
    check_screen("one\ntwo\n", 0, "\x1b[H\x1b[?7lone\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[?7h");
    check_screen("1\n2\n3\n4\n", 4,
                 "\x1b[H\x1b[?7l"
                 "1\x1b[K\n2\x1b[K\n… 2 more lines\x1b[K\n\x1b[J\x1b[?7h");
    check_screen("1\n2\n3\n4\n", 1,
                 "\x1b[H\x1b[?7l"
                 "1\x1b[K\n2\x1b[K\n3\x1b[K\n4\x1b[K\n"
                 "\x1b[J\x1b[?7h");
    check_screen("", 5, "\x1b[H\x1b[?7l\x1b[J\x1b[?7h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_past),   cmocka_unit_test(test_past_zones),
        cmocka_unit_test(test_states), cmocka_unit_test(test_times),
        cmocka_unit_test(test_any),    cmocka_unit_test(test_few),
        cmocka_unit_test(test_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
