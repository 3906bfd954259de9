/* SPDX-License-Identifier: MIT */
/*
 * The status table and lists of tasks: whole expected texts, at fixed times and widths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/defs.h"
#include "client/listing.h"
#include "client/row.h"
#include "client/table.h"
#include "client/when.h"
#include "proto/pack.h"
#include "proto/unpack.h"

#define NOW "2025-11-23T23:41:07Z"
enum { TASKS_MAX = 16 };

/* A task as a test writes it; what is 0 or NULL is left out. */
struct sample {
    unsigned id;
    const char *name;
    const char *title;
    const char *group;
    const char *state;
    const char *outcome;
    const char *since;
    const char *started;
    const char *awaits;
    const char *until;
    const char *message;
    unsigned position;
    unsigned pid;
    unsigned uid;
    unsigned result;
    unsigned retried_as;
    bool cancel;
    bool paused;
};

struct fixture {
    struct buf packed;
    struct unpacked unpacked;
    const msgpack_object *tasks[TASKS_MAX];
    size_t n;
    struct view view;
    struct buf out;
};

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

static void sample_awaits(struct buf *b, struct pack_map_place *map, const struct sample *s)
{
    if (!s->awaits)
        return;
    pack_key(b, map, "awaits");
    struct pack_map_place awaits = pack_map_begin(b);
    sample_text(b, &awaits, "kind", s->awaits);
    sample_text(b, &awaits, "until", s->until);
    sample_number(b, &awaits, "position", s->position);
    sample_number(b, &awaits, "pid", s->pid);
    if (s->paused) {
        pack_key(b, &awaits, "paused");
        pack_bool(b, true);
    }
    pack_map_end(b, &awaits);
}

static void sample_pack(struct buf *b, const struct sample *s)
{
    struct pack_map_place map = pack_map_begin(b);
    sample_number(b, &map, "id", s->id);
    sample_text(b, &map, "name", s->name);
    sample_text(b, &map, "function", "exec");
    sample_text(b, &map, "title", s->title);
    sample_text(b, &map, "group", s->group);
    sample_text(b, &map, "state", s->state);
    sample_text(b, &map, "outcome", s->outcome);
    sample_text(b, &map, "since", s->since);
    sample_text(b, &map, "started", s->started);
    sample_text(b, &map, "ended", s->outcome ? s->since : NULL);
    sample_number(b, &map, "uid", s->uid);
    sample_number(b, &map, "result", s->result);
    sample_number(b, &map, "retried_as", s->retried_as);
    sample_awaits(b, &map, s);
    pack_key(b, &map, "done");
    pack_bool(b, s->outcome != NULL);
    if (s->message) {
        pack_key(b, &map, "error");
        pack_map(b, 1);
        pack_text(b, "message");
        pack_text(b, s->message);
    }
    if (s->cancel) {
        pack_key(b, &map, "cancel");
        pack_map(b, 0);
    }
    pack_map_end(b, &map);
}

static void fixture_tasks(struct fixture *f, const struct sample *samples, size_t n)
{
    pack_array(&f->packed, n);
    for (size_t i = 0; i < n; i++)
        sample_pack(&f->packed, &samples[i]);
    assert_int_equal(unpack(&f->unpacked, f->packed.data, f->packed.len), 0);
    for (size_t i = 0; i < n; i++)
        f->tasks[i] = &f->unpacked.root.via.array.ptr[i];
    f->n = n;
}

static int fixture_setup(void **state)
{
    static struct fixture f;
    struct bytes now = {NOW, strlen(NOW)};
    f = (struct fixture){.view = {.now_ns = when_read(now), .local = gmtime_r}};
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

/* {name: "convert", slots: 3, held: 3}, and a paused group. */
static void pack_groups(struct buf *b)
{
    pack_array(b, 2);
    pack_map(b, 3);
    pack_text(b, "name");
    pack_text(b, "nightly");
    pack_text(b, "slots");
    pack_uint(b, 2);
    pack_text(b, "paused");
    pack_bool(b, true);
    pack_map(b, 3);
    pack_text(b, "name");
    pack_text(b, "convert");
    pack_text(b, "slots");
    pack_uint(b, 3);
    pack_text(b, "held");
    pack_uint(b, 3);
}

static void check_table(struct fixture *f, bool wide, const char *expected)
{
    struct buf packed = BUF_INIT;
    struct unpacked groups = UNPACKED_INIT;
    pack_groups(&packed);
    assert_int_equal(unpack(&groups, packed.data, packed.len), 0);
    struct table_input input = {f->tasks, f->n, &groups.root, wide};
    buf_clear(&f->out);
    assert_int_equal(table_render(&f->out, &input, &f->view), 0);
    assert_string_equal(buf_cstr(&f->out), expected);
    unpacked_done(&groups);
    buf_done(&packed);
}

static const struct sample samples[] = {
    {.id = 208,
     .title = "ffmpeg -i talk-208.mov talk-208.mp4",
     .group = "convert",
     .state = "RUNNING",
     .since = "2025-11-23T23:39:55Z",
     .awaits = "process",
     .pid = 4312},
    {.id = 12,
     .name = "nightly",
     .title = "sleep 2.5",
     .state = "SUSPENDED",
     .since = "2025-11-23T02:01:07Z",
     .awaits = "timer",
     .until = "2025-11-24T02:00:00Z"},
    {.id = 211,
     .title = "ffmpeg -i talk-211.mov talk-211.mp4",
     .group = "convert",
     .state = "PENDING",
     .since = "2025-11-23T23:26:40Z",
     .awaits = "slot",
     .position = 1},
    {.id = 212,
     .title = "ffmpeg -i a",
     .group = "convert",
     .state = "PENDING",
     .awaits = "slot",
     .since = NOW,
     .position = 2},
    {.id = 213,
     .title = "ffmpeg -i b",
     .group = "convert",
     .state = "PENDING",
     .awaits = "slot",
     .since = NOW,
     .position = 3},
    {.id = 214,
     .title = "ffmpeg -i c",
     .group = "convert",
     .state = "PENDING",
     .awaits = "slot",
     .since = NOW,
     .position = 4},
    {.id = 188,
     .title = "ffmpeg -i talk-188.mov talk-188.mp4",
     .group = "convert",
     .state = "DONE",
     .outcome = "failed",
     .since = "2025-11-23T23:31:42Z",
     .started = "2025-11-23T23:31:41Z",
     .message = "exit 1: talk-188.mov: Invalid data found when processing input"},
    {.id = 207,
     .title = "ffmpeg -i talk-207.mov talk-207.mp4",
     .group = "convert",
     .state = "DONE",
     .outcome = "ok",
     .since = "2025-11-23T23:40:47Z",
     .started = "2025-11-23T23:39:16Z"},
};

static void test_table_full(void **state)
{
    struct fixture *f = *state;
    fixture_tasks(f, samples, ARRAY_SIZE(samples));
    f->view.width = 100;
    check_table(
        f, false,
        "     ID  STATE        SINCE    AWAITS / RESULT                           TASK\n"
        "convert · slots 3 of 3\n"
        "    208  RUNNING      1m12s    process 4312                              ffmpeg -i "
        "talk-208.mov tal…\n"
        "    211  PENDING      14m27s   slot of convert, next                     ffmpeg -i "
        "talk-211.mov tal…\n"
        "212-214  PENDING               slot of convert, 2nd to 4th               3 × ffmpeg\n"
        "    188  DONE failed  9m ago   exit 1: talk-188.mov: Invalid data foun…  ffmpeg -i "
        "talk-188.mov tal…\n"
        "    207  DONE ok      20s ago  took 1m31s                                ffmpeg -i "
        "talk-207.mov tal…\n"
        "no group\n"
        "     12  SUSPENDED    21h40m   timer, Mon 02:00                          nightly: "
        "sleep 2.5\n");
}

/* Not a terminal: nothing is cut. */
static void test_table_uncut(void **state)
{
    struct fixture *f = *state;
    fixture_tasks(f, samples + 6, 1);
    check_table(
        f, false,
        "   ID  STATE        SINCE   AWAITS / RESULT                                           "
        " "
        "     TASK\n"
        "convert · slots 3 of 3\n"
        "  188  DONE failed  9m ago  exit 1: talk-188.mov: Invalid data found when processing "
        "input  ffmpeg -i talk-188.mov talk-188.mp4\n");
}

static void test_table_narrow(void **state)
{
    struct fixture *f = *state;
    fixture_tasks(f, samples + 6, 2);
    f->view.width = 20;
    check_table(f, false,
                "   ID  STATE        SINCE    AWAITS /…  TASK\n"
                "convert · slots 3 of 3\n"
                "  188  DONE failed  9m ago   exit 1: …  ffmpeg…\n"
                "  207  DONE ok      20s ago  took 1m3…  ffmpeg…\n");
}

static void test_table_wide(void **state)
{
    struct fixture *f = *state;
    struct sample two[] = {samples[3], samples[4], samples[5]};
    two[0].uid = 1000;
    two[1].uid = 1000;
    two[2].uid = 1000;
    fixture_tasks(f, two, 3);
    f->view.width = 40;
    check_table(
        f, true,
        "   ID  STATE    SINCE  GROUP    USER  ATTEMPT  AWAITS / RESULT       TASK\n"
        "  212  PENDING  0ms    convert  1000  0        slot of convert, 2nd  ffmpeg -i a\n"
        "  213  PENDING  0ms    convert  1000  0        slot of convert, 3rd  ffmpeg -i b\n"
        "  214  PENDING  0ms    convert  1000  0        slot of convert, 4th  ffmpeg -i c\n");
}

/* What differs is not folded: another user, a name, a cancel, a gap in the ids shows. */
static void test_table_fold(void **state)
{
    struct fixture *f = *state;
    struct sample rows[9];
    for (unsigned i = 0; i < 9; i++) {
        rows[i] = samples[3];
        rows[i].id = 20 + 2 * i;
        rows[i].position = 12 + i;
    }
    rows[4].uid = 7;
    rows[7].cancel = true;
    fixture_tasks(f, rows, 9);
    check_table(
        f, false,
        "   ID  STATE    SINCE  USER  AWAITS / RESULT                      TASK\n"
        "convert · slots 3 of 3\n"
        "20…26  PENDING               slot of convert, 12th to 15th        4 × ffmpeg\n"
        "   28  PENDING  0ms    7     slot of convert, 16th                ffmpeg -i a\n"
        "   30  PENDING  0ms          slot of convert, 17th                ffmpeg -i a\n"
        "   32  PENDING  0ms          slot of convert, 18th                ffmpeg -i a\n"
        "   34  PENDING  0ms          asked to end, slot of convert, 19th  ffmpeg -i a\n"
        "   36  PENDING  0ms          slot of convert, 20th                ffmpeg -i a\n");
}

/* The newest first: a folded row reads the same. */
static void test_table_fold_falling(void **state)
{
    struct fixture *f = *state;
    const struct sample rows[] = {samples[5], samples[4], samples[3], samples[2]};
    fixture_tasks(f, rows, 4);
    check_table(f, false,
                "     ID  STATE    SINCE   AWAITS / RESULT              TASK\n"
                "convert · slots 3 of 3\n"
                "212-214  PENDING          slot of convert, 2nd to 4th  3 × ffmpeg\n"
                "    211  PENDING  14m27s  slot of convert, next        ffmpeg -i talk-211.mov "
                "talk-211.mp4\n");
}

/* In a paused group nobody is next. */
static void test_table_paused(void **state)
{
    struct fixture *f = *state;
    struct sample rows[5];
    for (unsigned i = 0; i < 5; i++) {
        rows[i] = (struct sample){.id = 7 + i,
                                  .title = "true",
                                  .group = "nightly",
                                  .state = "PENDING",
                                  .since = NOW,
                                  .awaits = "slot",
                                  .position = 1 + i,
                                  .paused = true};
    }
    rows[3].title = "false";
    rows[4] = (struct sample){.id = 3,
                              .title = "false",
                              .group = "nightly",
                              .state = "DONE",
                              .outcome = "failed",
                              .since = NOW,
                              .message = "exit 1",
                              .retried_as = 10};
    fixture_tasks(f, rows, 5);
    check_table(f, false,
                "   ID  STATE        SINCE   AWAITS / RESULT          TASK\n"
                "nightly · slots 0 of 2 · paused\n"
                "  7-9  PENDING              slot of nightly, paused  3 × true\n"
                "   10  PENDING      0ms     slot of nightly, paused  false\n"
                "    3  DONE failed  0s ago  retried as 10, exit 1    false\n");
}

static void test_table_escapes_and_colors(void **state)
{
    struct fixture *f = *state;
    const struct sample rows[] = {
        {.id = 1, .title = "printf \x1b[31m\n", .group = "g", .state = "RUNNING", .since = NOW},
        {.id = 2,
         .title = "日本",
         .group = "g",
         .state = "DONE",
         .outcome = "ok",
         .since = NOW,
         .result = 42},
        {.id = 3,
         .title = "x",
         .group = "g",
         .state = "DONE",
         .outcome = "cancelled",
         .since = NOW},
    };
    fixture_tasks(f, rows, 3);
    f->view.color = true;
    check_table(
        f, false,
        "   ID  STATE           SINCE   AWAITS / RESULT  TASK\n"
        "\x1b[1mg\x1b[0m\n"
        "    1  \x1b[32mRUNNING\x1b[0m         0ms                      printf \\e[31m\\n\n"
        "    2  DONE ok         0s ago  result 42        日本\n"
        "    3  DONE cancelled  0s ago  never started    x\n");
}

static void test_table_empty(void **state)
{
    struct fixture *f = *state;
    struct table_input input = {NULL, 0, NULL, false};
    assert_int_equal(table_render(&f->out, &input, &f->view), 0);
    assert_int_equal(f->out.len, 0);
}

static void test_position(void **state)
{
    struct fixture *f = *state;
    static const unsigned positions[] = {1, 2, 3, 4, 11, 12, 13, 21, 22, 111, 486};
    for (size_t i = 0; i < ARRAY_SIZE(positions); i++) {
        row_position(&f->out, positions[i]);
        buf_puts(&f->out, " ");
    }
    assert_string_equal(buf_cstr(&f->out),
                        "next 2nd 3rd 4th 11th 12th 13th 21st 22nd 111th 486th ");
}

static void test_listing(void **state)
{
    struct fixture *f = *state;
    const struct sample rows[] = {{.id = 1}, {.id = 2}};
    fixture_tasks(f, rows, 2);
    listing_render(&f->out, FORMAT_ID, f->tasks, 2);
    listing_render(&f->out, FORMAT_JSON, f->tasks, 2);
    listing_render(&f->out, FORMAT_JSON, f->tasks, 0);
    listing_render(&f->out, FORMAT_JSONL, f->tasks, 2);
    assert_string_equal(buf_cstr(&f->out), "1\n2\n"
                                           "[{\"id\":1,\"function\":\"exec\",\"done\":false},\n"
                                           "{\"id\":2,\"function\":\"exec\",\"done\":false}]\n"
                                           "[]\n"
                                           "{\"id\":1,\"function\":\"exec\",\"done\":false}\n"
                                           "{\"id\":2,\"function\":\"exec\",\"done\":false}\n");
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_table_full),
        WITH_FIXTURE(test_table_uncut),
        WITH_FIXTURE(test_table_narrow),
        WITH_FIXTURE(test_table_wide),
        WITH_FIXTURE(test_table_fold),
        WITH_FIXTURE(test_table_escapes_and_colors),
        WITH_FIXTURE(test_table_fold_falling),
        WITH_FIXTURE(test_table_paused),
        WITH_FIXTURE(test_table_empty),
        WITH_FIXTURE(test_position),
        WITH_FIXTURE(test_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
