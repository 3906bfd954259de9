/* SPDX-License-Identifier: MIT */
/*
 * Sets of tasks as ranges, and finished tasks in the order in which they ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/ended.h"
#include "client/json.h"
#include "client/taskset.h"
#include "proto/pack.h"
#include "proto/unpack.h"

/* "3-9" is a range, "7" is named. */
static void fill(struct taskset *s, const char *text)
{
    unsigned long long first, last;
    int n = 0;
    for (const char *at = text; *at; at += n) {
        if (sscanf(at, "%llu-%llu%n", &first, &last, &n) == 2)
            taskset_add(s, first, last, false);
        else if (sscanf(at, "%llu%n", &first, &n) == 1)
            taskset_add(s, first, first, true);
        n += at[n] == ' ';
    }
}

static void check_packed(const struct taskset *s, const char *expected)
{
    struct buf b = BUF_INIT, json = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    taskset_pack(&b, s, UINT64_MAX);
    assert_true(buf_ok(&b));
    assert_int_equal(unpack(&u, b.data, b.len), 0);
    json_write(&json, &u.root);
    assert_string_equal(buf_cstr(&json), expected);
    unpacked_done(&u);
    buf_done(&json);
    buf_done(&b);
}

static void check_settled(const char *text, uint64_t count, const char *expected)
{
    struct taskset s = TASKSET_INIT;
    fill(&s, text);
    taskset_settle(&s);
    assert_int_equal(taskset_count(&s), count);
    check_packed(&s, expected);
    taskset_done(&s);
}

static void test_settle(void **state)
{
    (void)state;
    check_settled("", 0, "[]");
    check_settled("1-1 2-2 3-3 9-9 10-12", 7, "[\"1-3\",\"9-12\"]");
    check_settled("10-20 1-3 2-5 3-3 15-30", 26, "[\"1-5\",\"10-30\"]");
    check_settled("7 7 3 4", 3, "[3,4,7]");
    check_settled("3-9 7", 7, "[\"3-6\",7,\"8-9\"]");
    check_settled("7 3-7 9-9 9 10-12 12", 9, "[\"3-6\",7,9,\"10-11\",12]");
    check_settled("1-2 5 1-9", 9, "[\"1-4\",5,\"6-9\"]");
    check_settled("0-9223372036854775807", UINT64_C(1) << 63, "[\"0-9223372036854775807\"]");
    check_settled("9223372036854775807 3-9223372036854775807", INT64_MAX - 2,
                  "[\"3-9223372036854775806\",9223372036854775807]");
}

static void test_clip(void **state)
{
    (void)state;
    struct taskset s = TASKSET_INIT;
    fill(&s, "1-4 6-20 25 30-40");
    taskset_clip(&s, 10);
    check_packed(&s, "[\"1-4\",\"6-10\",25]"); /* what is named has to exist, and does not */
    taskset_done(&s);
}

static void check_split(const char *text, uint64_t n, const char *taken, const char *left)
{
    struct taskset s = TASKSET_INIT, part = TASKSET_INIT;
    fill(&s, text);
    taskset_split(&s, n, &part);
    check_packed(&part, taken);
    check_packed(&s, left);
    taskset_done(&s);
    taskset_done(&part);
}

static void test_split(void **state)
{
    (void)state;
    check_split("1-9", 4, "[\"1-4\"]", "[\"5-9\"]");
    check_split("1-4 6 8-9", 5, "[\"1-4\",6]", "[\"8-9\"]");
    check_split("1-4 6 8-9", 6, "[\"1-4\",6,\"8-8\"]", "[\"9-9\"]");
    check_split("1-4", 4, "[\"1-4\"]", "[]");
    check_split("1-4", 9, "[\"1-4\"]", "[]");
    check_split("0-9223372036854775807", 2, "[\"0-1\"]", "[\"2-9223372036854775807\"]");
}

static void check_first(const char *text, uint64_t n, const char *first, const char *rest)
{
    struct taskset s = TASKSET_INIT;
    struct buf b = BUF_INIT, json = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    fill(&s, text);
    taskset_pack(&b, &s, n);
    assert_int_equal(unpack(&u, b.data, b.len), 0);
    json_write(&json, &u.root);
    assert_string_equal(buf_cstr(&json), first);
    taskset_drop(&s, n);
    check_packed(&s, rest);
    unpacked_done(&u);
    buf_done(&json);
    buf_done(&b);
    taskset_done(&s);
}

static void test_first_of_them(void **state)
{
    (void)state;
    check_first("1-4 6 8-9", 0, "[]", "[\"1-4\",6,\"8-9\"]");
    check_first("1-4 6 8-9", 3, "[\"1-3\"]", "[\"4-4\",6,\"8-9\"]");
    check_first("1-4 6 8-9", 5, "[\"1-4\",6]", "[\"8-9\"]");
    check_first("6 7 8", 2, "[6,7]", "[8]");
    check_first("1-4", 9, "[\"1-4\"]", "[]");
}

/* A hundred thousand live tasks, every tenth of which is DONE already. */
static void test_compact(void **state)
{
    (void)state;
    struct taskset s = TASKSET_INIT;
    struct buf b = BUF_INIT;
    for (uint64_t id = 1; id <= 100000; id++) {
        if (id % 10 != 0)
            taskset_add(&s, id, id, false);
    }
    taskset_settle(&s);
    assert_int_equal(taskset_count(&s), 90000);
    assert_int_equal(s.n, 10000);
    taskset_pack(&b, &s, UINT64_MAX);
    assert_true(b.len < 200000);
    buf_done(&b);
    taskset_done(&s);
}

/* Adds task `id`, which ended then. */
static void add_ended(struct ended *e, unsigned id, const char *time)
{
    struct buf b = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    pack_map(&b, 1);
    pack_text(&b, "ended");
    pack_text(&b, time);
    assert_int_equal(unpack(&u, b.data, b.len), 0);
    buf_printf(ended_add(e, &u.root), "%u", id);
    unpacked_done(&u);
    buf_done(&b);
}

static void check_flush(struct ended *e, const char *expected)
{
    struct buf out = BUF_INIT;
    ended_flush(e, &out, ",");
    assert_string_equal(buf_cstr(&out), expected);
    buf_done(&out);
}

static void test_ended(void **state)
{
    (void)state;
    struct ended e = ENDED_INIT;
    check_flush(&e, "");
    add_ended(&e, 1, "2025-01-01T00:00:09.000Z");
    add_ended(&e, 2, "2025-01-01T00:00:10.000Z");
    add_ended(&e, 3, "2025-01-01T00:00:09.000Z");
    add_ended(&e, 4, "2024-12-31T23:59:59.999Z");
    check_flush(&e, "4,1,3,2");
    check_flush(&e, "");
    add_ended(&e, 5, NULL);
    check_flush(&e, "5");
    for (unsigned i = 0; i < 200; i++)
        add_ended(&e, i % 10, "2025-01-01T00:00:00.000Z");
    struct buf out = BUF_INIT;
    ended_flush(&e, &out, "");
    assert_int_equal(out.len, 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(out.data[i], '0' + i % 10);
    buf_done(&out);
    ended_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settle),  cmocka_unit_test(test_clip),
        cmocka_unit_test(test_split),   cmocka_unit_test(test_first_of_them),
        cmocka_unit_test(test_compact), cmocka_unit_test(test_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
