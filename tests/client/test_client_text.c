/* SPDX-License-Identifier: MIT */
/*
 * Texts: columns, escaping in one piece and in pieces, JSON, times.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/defs.h"
#include "client/escape.h"
#include "client/json.h"
#include "client/utf8.h"
#include "client/when.h"
#include "proto/pack.h"
#include "proto/unpack.h"

static void check_cut(const char *text, size_t width, const char *expected, size_t used)
{
    struct buf b = BUF_INIT;
    assert_int_equal(utf8_cut(&b, text, strlen(text), width), used);
    assert_string_equal(buf_cstr(&b), expected);
    buf_done(&b);
}

static void test_utf8(void **state)
{
    (void)state;
    uint32_t code;
    assert_int_equal(utf8_decode("é", 2, &code), 2);
    assert_int_equal(code, 0xe9);
    assert_int_equal(utf8_decode("é", 1, &code), 0);
    assert_int_equal(utf8_decode("\xc0\x80", 2, &code), 0);     /* overlong */
    assert_int_equal(utf8_decode("\xed\xa0\x80", 3, &code), 0); /* a surrogate */
    assert_int_equal(utf8_decode("\xf4\x90\x80\x80", 4, &code), 0);
    assert_int_equal(utf8_width("aé日\xff", 7), 5);
    assert_int_equal(utf8_width("e\xcc\x81", 3), 1);
    check_cut("abcdef", 6, "abcdef", 6);
    check_cut("abcdef", 4, "abc…", 4);
    check_cut("日本語", 4, "日…", 3);
    check_cut("日本語", 5, "日本…", 5);
    check_cut("abc", 0, "", 0);
    check_cut("", 3, "", 0);
}

static void check_escape(const char *text, size_t len, const char *expected)
{
    struct buf b = BUF_INIT;
    escape_text(&b, text, len);
    assert_string_equal(buf_cstr(&b), expected);
    buf_done(&b);
}

static void test_escape_text(void **state)
{
    (void)state;
    check_escape("plain é日", 11, "plain é日");
    check_escape("a\nb\tc\rd", 7, "a\\nb\\tc\\rd");
    check_escape("\x1b[2J\x07\x7f", 6, "\\e[2J\\x07\\x7f");
    check_escape("a\0b", 3, "a\\x00b");
    check_escape("\x9b\xff", 2, "\\x9b\\xff");
    check_escape("\xc2\x9b"
                 "1m",
                 4, "\\u009b1m");
    check_escape("\xe2\x80\xae", 3, "\\u202e");
}

/* The same whether it comes at once or byte by byte. */
static void check_stream(const char *text, size_t len, const char *expected)
{
    for (size_t step = 1; step <= len; step++) {
        struct escape_stream s = ESCAPE_STREAM_INIT;
        struct buf b = BUF_INIT;
        for (size_t at = 0; at < len; at += step)
            escape_stream_feed(&s, &b, text + at, len - at < step ? len - at : step);
        escape_stream_end(&s, &b);
        assert_string_equal(buf_cstr(&b), expected);
        buf_done(&b);
    }
}
#define CHECK_STREAM(text, expected) check_stream(text, sizeof(text) - 1, expected)

static void test_escape_stream(void **state)
{
    (void)state;
    CHECK_STREAM("a\tb\r\nc", "a\tb\r\nc");
    CHECK_STREAM("\x1b[1;31mred", "\x1b[1;31mred\x1b[0m");
    CHECK_STREAM("\x1b[38:2:1mx", "\x1b[38:2:1mx\x1b[0m");
    CHECK_STREAM("\x1b[2Jx", "\\e[2Jx");
    CHECK_STREAM("\x1b]0;title\x07", "\\e]0;title\\x07");
    CHECK_STREAM("\x1b\x1b[mx", "\\e\x1b[mx\x1b[0m");
    CHECK_STREAM("日é", "日é");
    CHECK_STREAM("\xe6\x97x\xc3", "\\xe6\\x97x\\xc3");
    CHECK_STREAM("\xc2\x9b\x80\xf8z", "\\u009b\\x80\\xf8z");
    CHECK_STREAM("\x1b[1", "\\e[1");
    CHECK_STREAM("\x1b[1111111111111111111111111111111111111111111111111111111111111111m",
                 "\\e[1111111111111111111111111111111111111111111111111111111111111111m");
}

static void check_json(struct buf *packed, const char *expected)
{
    struct unpacked u = UNPACKED_INIT;
    struct buf json = BUF_INIT;
    assert_int_equal(unpack(&u, packed->data, packed->len), 0);
    json_write(&json, &u.root);
    assert_string_equal(buf_cstr(&json), expected);
    buf_done(&json);
    unpacked_done(&u);
    buf_done(packed);
}

static void test_json(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    static const double numbers[] = {2.0, 0.1, 1e300, -1.5, NAN, INFINITY, 1.0 / 3.0};
    pack_array(&b, 7);
    for (size_t i = 0; i < 7; i++)
        pack_double(&b, numbers[i]);
    check_json(&b, "[2.0,0.1,1e+300,-1.5,null,null,0.3333333333333333]");
    pack_map(&b, 5);
    pack_text(&b, "text");
    pack_text(&b, "a\"b\\c\n\x1b\xc2\x9b é");
    pack_text(&b, "bin");
    pack_bin(&b, "utf8", 4);
    pack_text(&b, "raw");
    pack_bin(&b, "\xff\xfe", 2);
    pack_int(&b, -7);
    pack_array(&b, 3);
    pack_nil(&b);
    pack_bool(&b, true);
    pack_int(&b, INT64_MIN);
    pack_text(&b, "max");
    pack_uint(&b, INT64_MAX);
    check_json(&b, "{\"text\":\"a\\\"b\\\\c\\n\\u001b\\u009b é\",\"bin\":\"utf8\","
                   "\"raw\":{\"base64\":\"//4=\"},\"-7\":[null,true,-9223372036854775808],"
                   "\"max\":9223372036854775807}");
}

static void test_json_base64(void **state)
{
    (void)state;
    static const char *const expected[] = {"{\"base64\":\"/w==\"}", "{\"base64\":\"/wA=\"}",
                                           "{\"base64\":\"/wAB\"}",
                                           "{\"base64\":\"/wABAg==\"}"};
    for (size_t n = 1; n <= 4; n++) {
        struct buf b = BUF_INIT;
        pack_bin(&b, "\xff\x00\x01\x02", n);
        check_json(&b, expected[n - 1]);
    }
}

static struct tm *east(const time_t *at, struct tm *tm)
{
    time_t there = *at + 2 * 60 * 60;
    return gmtime_r(&there, tm);
}

static uint64_t at(const char *text)
{
    return when_read((struct bytes){text, strlen(text)});
}

static void test_when(void **state)
{
    (void)state;
    char text[WHEN_MAX];
    assert_true(at("2025-11-23T21:41:07.250Z") == UINT64_C(1763934067250000000));
    assert_true(at("2025-11-23T23:41:07+02:00") == UINT64_C(1763934067000000000));
    assert_true(at("yesterday") == 0);
    assert_true(when_read((struct bytes){NULL, 0}) == 0);
    struct view v = {.now_ns = at("2025-11-23T21:41:07.250Z"), .local = east};
    assert_string_equal(when_clock(text, &v, v.now_ns, false), "23:41:07");
    assert_string_equal(when_clock(text, &v, v.now_ns, true), "23:41:07.250");
    assert_string_equal(when_full(text, &v, v.now_ns), "2025-11-23 23:41:07.250");
    assert_string_equal(when_near(text, &v, at("2025-11-23T21:59:00Z")), "23:59:00");
    assert_string_equal(when_near(text, &v, at("2025-11-24T00:00:00Z")), "Mon 02:00");
    assert_string_equal(when_near(text, &v, at("2025-12-24T16:00:00Z")), "2025-12-24 18:00");
    assert_false(when_same_day(&v, v.now_ns, at("2025-11-23T22:00:00Z")));
    assert_string_equal(when_coarse(text, 59 * NSEC_PER_SEC, false), "59s");
    assert_string_equal(when_coarse(text, 3599 * NSEC_PER_SEC, true), "59 min");
    assert_string_equal(when_coarse(text, 3600 * NSEC_PER_SEC, true), "1 h");
    assert_string_equal(when_coarse(text, 6 * 86400 * NSEC_PER_SEC, true), "6 d");
    assert_string_equal(when_between(text, 10, 5), when_between((char[WHEN_MAX]){0}, 5, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),          cmocka_unit_test(test_escape_text),
        cmocka_unit_test(test_escape_stream), cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_base64),   cmocka_unit_test(test_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
