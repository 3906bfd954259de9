/* SPDX-License-Identifier: MIT */
/*
 * One task in detail: whole expected texts, at a fixed time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/detail.h"
#include "client/when.h"
#include "proto/pack.h"
#include "proto/unpack.h"

#define NOW "2025-11-23T23:41:07Z"

static const char *ana(uint32_t uid)
{
    return uid == 1000 ? "ana" : NULL;
}

static void text(struct buf *b, struct pack_map_place *map, const char *key, const char *value)
{
    pack_key(b, map, key);
    pack_text(b, value);
}

static void number(struct buf *b, struct pack_map_place *map, const char *key, unsigned value)
{
    pack_key(b, map, key);
    pack_uint(b, value);
}

static void flags(struct buf *b, struct pack_map_place *map, bool done, bool cancelled)
{
    pack_key(b, map, "done");
    pack_bool(b, done);
    pack_key(b, map, "cancelled");
    pack_bool(b, cancelled);
}

static void check_detail(struct buf *packed, const char *expected)
{
    struct unpacked u = UNPACKED_INIT;
    struct buf out = BUF_INIT;
    struct bytes now = {NOW, strlen(NOW)};
    struct view view = {
        .now_ns = when_read(now), .width = 80, .local = gmtime_r, .user_name = ana};
    assert_int_equal(unpack(&u, packed->data, packed->len), 0);
    detail_render(&out, &u.root, &view);
    assert_string_equal(buf_cstr(&out), expected);
    unpacked_done(&u);
    buf_done(&out);
    buf_done(packed);
}

static void pack_exec_args(struct buf *b, struct pack_map_place *map)
{
    pack_key(b, map, "args");
    pack_map(b, 2);
    pack_text(b, "argv");
    pack_array(b, 3);
    pack_text(b, "ffmpeg");
    pack_text(b, "-i");
    pack_text(b, "talk \"1\".mov");
    pack_text(b, "cwd");
    pack_text(b, "/home/ana");
}

static void test_failed_command(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    number(&b, &map, "id", 188);
    text(&b, &map, "function", "exec");
    text(&b, &map, "state", "DONE");
    text(&b, &map, "outcome", "failed");
    flags(&b, &map, true, false);
    text(&b, &map, "group", "convert");
    number(&b, &map, "uid", 1000);
    text(&b, &map, "submitted", "2025-11-23T23:26:40.102Z");
    text(&b, &map, "started", "2025-11-23T23:31:42.377Z");
    text(&b, &map, "ended", "2025-11-23T23:31:42.913Z");
    text(&b, &map, "since", "2025-11-23T23:31:42.913Z");
    number(&b, &map, "client_pid", 3991);
    number(&b, &map, "pid", 4290);
    number(&b, &map, "attempt", 1);
    number(&b, &map, "env_count", 54);
    pack_exec_args(&b, &map);
    pack_key(&b, &map, "error");
    pack_map(&b, 3);
    pack_text(&b, "type");
    pack_text(&b, "ExitStatus");
    pack_text(&b, "message");
    pack_text(&b, "exit 1: moov atom not found");
    pack_text(&b, "exit");
    pack_uint(&b, 1);
    pack_key(&b, &map, "usage");
    pack_map(&b, 3);
    pack_text(&b, "user_s");
    pack_double(&b, 0.25);
    pack_text(&b, "system_s");
    pack_double(&b, 0.06);
    pack_text(&b, "maxrss_kib");
    pack_uint(&b, 41 * 1024);
    pack_key(&b, &map, "output");
    pack_map(&b, 1);
    pack_text(&b, "out");
    pack_uint(&b, 2150);
    text(&b, &map, "tail", "one\n\x1b[31mtwo\n");
    pack_map_end(&b, &map);
    check_detail(
        &b, "task 188  DONE failed  exit 1: moov atom not found\n"
            "  coroutine   exec(\"ffmpeg\", \"-i\", \"talk \\\"1\\\".mov\")\n"
            "  group       convert        user  ana        cwd  /home/ana        env  54 "
            "variables (--env)\n"
            "  asyncio     done() True    cancelled() False    result() raises    exception() "
            "ExitStatus(1)\n"
            "  timeline    23:26:40.102   submitted   by process 3991\n"
            "              23:26:40.102   PENDING                                              "
            "5m02s\n"
            "              23:31:42.377   RUNNING     process 4290                             "
            "536ms\n"
            "              23:31:42.913   DONE        failed: exit 1: moov atom not found\n"
            "  used        cpu 0.31 s · memory peak 41 MiB · output 2.0 KiB\n"
            "  output      one\n"
            "              \\e[31mtwo\n"
            "  next        aioctl logs 188 · aioctl retry 188 · aioctl rm 188\n");
}

static void test_pending(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    number(&b, &map, "id", 9);
    text(&b, &map, "name", "later");
    text(&b, &map, "function", "exec");
    text(&b, &map, "state", "PENDING");
    flags(&b, &map, false, false);
    text(&b, &map, "submitted", "2025-11-22T23:41:07Z");
    text(&b, &map, "since", "2025-11-22T23:41:07Z");
    pack_key(&b, &map, "awaits");
    pack_map(&b, 3);
    pack_text(&b, "kind");
    pack_text(&b, "slot");
    pack_text(&b, "group");
    pack_text(&b, "g");
    pack_text(&b, "position");
    pack_uint(&b, 3);
    pack_map_end(&b, &map);
    check_detail(
        &b, "task 9  PENDING  later  slot of g, 3rd\n"
            "  coroutine   exec()\n"
            "  asyncio     done() False    cancelled() False    result() raises "
            "InvalidStateError\n"
            "  timeline    2025-11-22 23:41:07.000   submitted\n"
            "              2025-11-22 23:41:07.000   PENDING     slot of g, 3rd                "
            "           1d00h\n"
            "  next        aioctl await 9 · aioctl cancel 9\n");
}

static void test_suspended_and_cancelled(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    number(&b, &map, "id", 4);
    text(&b, &map, "function", "sleep");
    text(&b, &map, "state", "SUSPENDED");
    flags(&b, &map, false, false);
    text(&b, &map, "submitted", "2025-11-23T23:40:00Z");
    text(&b, &map, "started", "2025-11-23T23:40:00Z");
    text(&b, &map, "since", "2025-11-23T23:40:01Z");
    pack_key(&b, &map, "args");
    pack_map(&b, 1);
    pack_text(&b, "delay");
    pack_double(&b, 90);
    pack_key(&b, &map, "awaits");
    pack_map(&b, 2);
    pack_text(&b, "kind");
    pack_text(&b, "timer");
    pack_text(&b, "until");
    pack_text(&b, "2025-11-23T23:41:30Z");
    pack_key(&b, &map, "cancel");
    pack_map(&b, 2);
    pack_text(&b, "at");
    pack_text(&b, "2025-11-23T23:41:06Z");
    pack_text(&b, "uid");
    pack_uint(&b, 7);
    pack_key(&b, &map, "loop");
    pack_map(&b, 2);
    pack_text(&b, "steps");
    pack_uint(&b, 4);
    pack_text(&b, "longest_us");
    pack_uint(&b, 21);
    pack_map_end(&b, &map);
    check_detail(
        &b,
        "task 4  SUSPENDED  asked to end, timer, 23:41:30\n"
        "  coroutine   sleep(delay=90.0)\n"
        "  asyncio     done() False    cancelled() False    result() raises InvalidStateError\n"
        "  timeline    23:40:00.000   submitted\n"
        "              23:40:00.000   PENDING                                                "
        "0ms\n"
        "              23:40:00.000   started\n"
        "              23:40:01.000   SUSPENDED   asked to end, timer, 23:41:30            "
        "1m06s\n"
        "  cancel      asked 23:41:06 by uid 7\n"
        "  used        loop: 4 steps, longest 21 µs\n"
        "  next        aioctl await 4 · aioctl cancel 4\n");
}

/* A result of several types, and an environment that was asked for. */
static void test_result(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    number(&b, &map, "id", 5);
    text(&b, &map, "function", "f");
    text(&b, &map, "state", "DONE");
    text(&b, &map, "outcome", "ok");
    flags(&b, &map, true, false);
    number(&b, &map, "env_count", 1);
    pack_key(&b, &map, "env");
    pack_array(&b, 1);
    pack_text(&b, "A=\n");
    pack_key(&b, &map, "args");
    pack_array(&b, 2);
    pack_int(&b, 1);
    pack_text(&b, "x");
    pack_key(&b, &map, "result");
    pack_array(&b, 3);
    pack_bool(&b, true);
    pack_nil(&b);
    pack_map(&b, 1);
    pack_text(&b, "k");
    pack_int(&b, -1);
    pack_map_end(&b, &map);
    check_detail(&b, "task 5  DONE ok  result [true,null,{\"k\":-1}]\n"
                     "  coroutine   f(1, \"x\")\n"
                     "  env         1 variables\n"
                     "  asyncio     done() True    cancelled() False    result() [True, None, "
                     "{\"k\": -1}]   "
                     " exception() None\n"
                     "  env         A=\\n\n"
                     "  next        aioctl result 5 · aioctl rm 5\n");
}

static void test_cancelled(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    number(&b, &map, "id", 6);
    text(&b, &map, "function", "exec");
    text(&b, &map, "state", "DONE");
    text(&b, &map, "outcome", "cancelled");
    flags(&b, &map, true, true);
    text(&b, &map, "submitted", "2025-11-23T23:40:00Z");
    text(&b, &map, "ended", "2025-11-23T23:40:02Z");
    pack_map_end(&b, &map);
    check_detail(
        &b, "task 6  DONE cancelled  never started\n"
            "  coroutine   exec()\n"
            "  asyncio     done() True    cancelled() True    result() raises CancelledError\n"
            "  timeline    23:40:00.000   submitted\n"
            "              23:40:00.000   PENDING                                              "
            "   2s\n"
            "              23:40:02.000   DONE        cancelled\n"
            "  next        aioctl retry 6 · aioctl rm 6\n");
}

/* A task that failed again, and was retried: that is not offered twice. */
static void test_retried(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    number(&b, &map, "id", 7);
    text(&b, &map, "function", "f");
    text(&b, &map, "state", "DONE");
    text(&b, &map, "outcome", "failed");
    flags(&b, &map, true, false);
    number(&b, &map, "retry_of", 5);
    number(&b, &map, "retried_as", 701);
    pack_map_end(&b, &map);
    check_detail(&b, "task 7  DONE failed  retried as 701, failed\n"
                     "  coroutine   f()\n"
                     "  asyncio     done() True    cancelled() False    result() raises    "
                     "exception() Exception()\n"
                     "  retry       of 5, retried as 701\n"
                     "  next        aioctl rm 7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_command),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_suspended_and_cancelled),
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_retried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
