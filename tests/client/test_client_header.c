/* SPDX-License-Identifier: MIT */
/*
 * The lines around the status table, and health: whole expected texts, at a fixed time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/header.h"
#include "client/health.h"
#include "client/when.h"
#include "proto/pack.h"
#include "proto/unpack.h"

#define NOW "2025-11-23T23:41:07Z"

struct fixture {
    struct buf packed;
    struct unpacked unpacked;
    struct view view;
    struct buf out;
};

static const char *ana(uint32_t uid)
{
    return uid == 1000 ? "ana" : NULL;
}

static int fixture_setup(void **state)
{
    static struct fixture f;
    struct bytes now = {NOW, strlen(NOW)};
    f = (struct fixture){
        .view = {.now_ns = when_read(now), .local = gmtime_r, .user_name = ana}};
    *state = &f;
    return 0;
}

static int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    unpacked_done(&f->unpacked);
    buf_done(&f->packed);
    buf_done(&f->out);
    return 0;
}

static void sample_text(struct buf *b, struct pack_map_place *map, const char *key,
                        const char *text)
{
    if (!text)
        return;
    pack_key(b, map, key);
    pack_text(b, text);
}

static void sample_number(struct buf *b, struct pack_map_place *map, const char *key,
                          unsigned n)
{
    if (!n)
        return;
    pack_key(b, map, key);
    pack_uint(b, n);
}

/* {name: "convert", slots: 3, held: 3} alone in an array */
static void pack_groups(struct buf *b)
{
    pack_array(b, 1);
    pack_map(b, 3);
    pack_text(b, "name");
    pack_text(b, "convert");
    pack_text(b, "slots");
    pack_uint(b, 3);
    pack_text(b, "held");
    pack_uint(b, 3);
}

static void pack_counts(struct buf *b, unsigned running, unsigned pending, unsigned ok,
                        unsigned failed)
{
    struct pack_map_place map = pack_map_begin(b);
    sample_number(b, &map, "running", running);
    sample_number(b, &map, "pending", pending);
    sample_number(b, &map, "ok", ok);
    sample_number(b, &map, "failed", failed);
    pack_map_end(b, &map);
}

static void test_header(void **state)
{
    struct fixture *f = *state;
    pack_map(&f->packed, 3);
    pack_text(&f->packed, "counts");
    pack_counts(&f->packed, 3, 487, 107, 2);
    pack_text(&f->packed, "groups");
    pack_groups(&f->packed);
    pack_text(&f->packed, "loop");
    pack_map(&f->packed, 3);
    pack_text(&f->packed, "busy");
    pack_double(&f->packed, 0.003);
    pack_text(&f->packed, "up_s");
    pack_uint(&f->packed, 6 * 86400 + 7);
    pack_text(&f->packed, "owner");
    pack_uint(&f->packed, 1000);
    assert_int_equal(unpack(&f->unpacked, f->packed.data, f->packed.len), 0);
    f->view.width = 100;
    const struct header_shown shown = {2, 480, 109};
    header_render(&f->out, NULL, &f->unpacked.root, NULL, &f->view);
    header_footer(&f->out, map_get(&f->unpacked.root, "counts"), NULL, &shown);
    assert_string_equal(buf_cstr(&f->out),
                        "aiod · ana's instance · on the loop: nobody, 0.3 % busy · up 6 d · 3 "
                        "of 3 slots         Sun 23:41:07\n"
                        "3 RUNNING · 487 PENDING · 109 DONE: 107 ok 2 failed\n"
                        "1 more RUNNING or SUSPENDED: aioctl status --state running,suspended "
                        "--all\n"
                        "7 more PENDING: aioctl status --state pending --all\n");
}

/* {running: 3, ok: 107, failed: 2}, what of it ended today, and how much of that is shown. */
static void check_today(struct fixture *f, const struct header_today *today, size_t done,
                        const char *expected)
{
    const struct header_shown shown = {3, 0, done};
    buf_clear(&f->out);
    header_counts(&f->out, &f->unpacked.root, today);
    buf_puts(&f->out, "\n");
    header_footer(&f->out, &f->unpacked.root, today, &shown);
    assert_string_equal(buf_cstr(&f->out), expected);
}

static void test_today(void **state)
{
    struct fixture *f = *state;
    pack_counts(&f->packed, 3, 0, 107, 2);
    assert_int_equal(unpack(&f->unpacked, f->packed.data, f->packed.len), 0);
    check_today(f, NULL, 20,
                "3 RUNNING · 109 DONE: 107 ok 2 failed\n"
                "89 more DONE: aioctl status --done\n");
    check_today(f, &(struct header_today){107, 2, 0, 20}, 20,
                "3 RUNNING · today 109 DONE: 107 ok 2 failed\n"
                "89 more DONE today: aioctl status --done --since today\n");
    check_today(f, &(struct header_today){6, 1, 1, 5}, 5,
                "3 RUNNING · today 8 DONE: 6 ok 1 failed 1 cancelled (109 in all)\n"
                "3 more DONE today: aioctl status --done --since today\n");
    check_today(f, &(struct header_today){6, 1, 1, 8}, 20,
                "3 RUNNING · today 8 DONE: 6 ok 1 failed 1 cancelled (109 in all)\n"
                "89 more DONE: aioctl status --done\n");
    check_today(f, &(struct header_today){0}, 109, "3 RUNNING · today 0 DONE (109 in all)\n");
}

static void test_header_of_nothing(void **state)
{
    struct fixture *f = *state;
    pack_map(&f->packed, 1);
    pack_text(&f->packed, "system");
    pack_bool(&f->packed, true);
    assert_int_equal(unpack(&f->unpacked, f->packed.data, f->packed.len), 0);
    header_render(&f->out, &f->unpacked.root, NULL, NULL, &f->view);
    header_footer(&f->out, NULL, NULL, &(struct header_shown){0});
    assert_string_equal(
        buf_cstr(&f->out),
        "aiod · the system's instance · on the loop: nobody, 0.0 % busy · up 0 s  "
        "Sun 23:41:07\nno tasks\n");
}

static void test_health(void **state)
{
    struct fixture *f = *state;
    struct pack_map_place map = pack_map_begin(&f->packed);
    sample_text(&f->packed, &map, "aiod", "0.1.0");
    sample_number(&f->packed, &map, "pid", 42);
    sample_number(&f->packed, &map, "up_s", 7200);
    sample_number(&f->packed, &map, "connections", 3);
    sample_number(&f->packed, &map, "rss_kib", 8192);
    pack_key(&f->packed, &map, "tasks");
    pack_counts(&f->packed, 1, 0, 0, 0);
    pack_key(&f->packed, &map, "loop");
    pack_map(&f->packed, 2);
    pack_text(&f->packed, "steps");
    pack_uint(&f->packed, 9);
    pack_text(&f->packed, "busy");
    pack_double(&f->packed, 0.25);
    pack_key(&f->packed, &map, "store");
    pack_map(&f->packed, 2);
    pack_text(&f->packed, "path");
    pack_text(&f->packed, "/s\n");
    pack_text(&f->packed, "commits");
    pack_uint(&f->packed, 5);
    pack_map_end(&f->packed, &map);
    assert_int_equal(unpack(&f->unpacked, f->packed.data, f->packed.len), 0);
    health_render(&f->out, &f->unpacked.root);
    assert_string_equal(
        buf_cstr(&f->out),
        "aiod 0.1.0 · process 42 · up 2 h\n"
        "  loop          1 thread · 25.0 % busy · 0 tasks · 9 steps, longest 0 µs · lag at "
        "most 0 µs\n"
        "  tasks         1 RUNNING\n"
        "  store         path /s\\n · commits 5\n"
        "  connections   3\n"
        "  memory        8.0 MiB\n");
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_header),
        WITH_FIXTURE(test_today),
        WITH_FIXTURE(test_header_of_nothing),
        WITH_FIXTURE(test_health),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
