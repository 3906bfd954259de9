/* SPDX-License-Identifier: MIT */
/*
 * Events: as the event loop tells them and as the times of a task do, as lines and as JSON; none
 * is told twice.
 */
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
#include "client/event.h"
#include "client/seen.h"
#include "client/when.h"
#include "proto/pack.h"

#define NOW "2025-11-23T23:41:07Z"

static const char *ana(uint32_t uid)
{
    return uid == 1000 ? "ana" : NULL;
}

/* A task of the text "key=value key=value"; numbers and times are told apart by their keys. */
static void pack_task(struct buf *b, const char *text)
{
    char copy[512];
    struct pack_map_place map = pack_map_begin(b);
    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        pack_key(b, &map, word);
        if (strspn(value, "0123456789") == strlen(value)) {
            pack_uint(b, (uint64_t)atoi(value));
        } else if (strcmp(word, "cancel") == 0) {
            pack_map(b, 2);
            pack_text(b, "at");
            pack_text(b, value);
            pack_text(b, "uid");
            pack_uint(b, 1000);
        } else if (strcmp(word, "awaits") == 0) {
            pack_map(b, 1);
            pack_text(b, "kind");
            pack_text(b, value);
        } else if (strcmp(word, "done") == 0) {
            pack_bool(b, strcmp(value, "yes") == 0);
        } else {
            pack_text(b, value);
        }
    }
    pack_map_end(b, &map);
}

static void write_events(struct buf *out, const struct event *events, size_t n, bool json)
{
    struct bytes now = {NOW, strlen(NOW)};
    struct view view = {.now_ns = when_read(now), .local = gmtime_r, .user_name = ana};
    for (size_t i = 0; i < n; i++) {
        if (json)
            event_json(out, &events[i]);
        else
            event_line(out, &events[i], &view);
        buf_puts(out, json ? "\n" : "");
    }
}

static void check_past(const char *task, bool json, const char *expected)
{
    struct buf packed = BUF_INIT;
    struct buf out = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    struct event events[EVENT_PAST_MAX];
    pack_task(&packed, task);
    assert_int_equal(unpack(&u, packed.data, packed.len), 0);
    write_events(&out, events, event_past(events, &u.root), json);
    assert_string_equal(buf_cstr(&out) ? buf_cstr(&out) : "", expected);
    unpacked_done(&u);
    buf_done(&packed);
    buf_done(&out);
}

static void test_past_lines(void **state)
{
    (void)state;
    check_past(
        "id=188 function=exec title=ffmpeg\x1b state=DONE outcome=failed done=yes pid=4290 "
        "submitted=2025-11-22T23:26:40.102Z started=2025-11-23T23:31:42.377Z "
        "ended=2025-11-23T23:31:42.913Z cancel=2025-11-23T23:31:42.500Z",
        false,
        "2025-11-22 23:26:40.102    188  PENDING                                   ffmpeg\\e\n"
        "23:31:42.377    188  PENDING → RUNNING         process 4290    ffmpeg\\e\n"
        "23:31:42.500    188  asked to end              by ana          ffmpeg\\e\n"
        "23:31:42.913    188  RUNNING → DONE failed     failed          ffmpeg\\e\n");
    check_past("id=7 function=sleep title=nap state=SUSPENDED done=no awaits=timer retry_of=5 "
               "submitted=2025-11-23T23:00:00Z started=2025-11-23T23:00:01Z "
               "since=2025-11-23T23:00:01Z",
               false,
               "23:00:00.000      7  PENDING                   retry of 5      nap\n"
               "23:00:01.000      7  PENDING → SUSPENDED       timer           nap\n");
    /* what it was before is only known of commands, and of what never started */
    check_past("id=7 function=sleep title=nap state=DONE outcome=ok done=yes "
               "submitted=2025-11-23T23:00:00Z started=2025-11-23T23:00:01Z "
               "ended=2025-11-23T23:00:03Z",
               false,
               "23:00:00.000      7  PENDING                                   nap\n"
               "23:00:01.000      7  PENDING → RUNNING                         nap\n"
               "23:00:03.000      7  DONE ok                   took 2s         nap\n");
    check_past("id=7 function=exec title=x state=DONE outcome=cancelled done=yes "
               "ended=2025-11-23T23:00:03Z",
               false, "23:00:03.000      7  PENDING → DONE cancelled  never started   x\n");
    check_past("id=7 title=x", false, "");
}

static void test_past_json(void **state)
{
    (void)state;
    check_past(
        "id=7 function=exec state=DONE outcome=ok submitted=2025-11-23T23:00:00Z "
        "started=2025-11-23T23:00:01Z cancel=2025-11-23T23:00:02Z",
        true,
        "{\"time\":\"2025-11-23T23:00:00.000Z\",\"what\":\"state\",\"id\":7,\"state\":"
        "\"PENDING\",\"was\":null,\"past\":true,\"task\":{\"id\":7,\"function\":\"exec\","
        "\"state\":\"DONE\",\"outcome\":\"ok\",\"submitted\":\"2025-11-23T23:00:00Z\","
        "\"started\":\"2025-11-23T23:00:01Z\",\"cancel\":{\"at\":\"2025-11-23T23:00:02Z\","
        "\"uid\":1000}}}\n"
        "{\"time\":\"2025-11-23T23:00:01.000Z\",\"what\":\"state\",\"id\":7,\"state\":"
        "\"RUNNING\",\"was\":\"PENDING\",\"past\":true,\"task\":{\"id\":7,\"function\":"
        "\"exec\",\"state\":\"DONE\",\"outcome\":\"ok\",\"submitted\":"
        "\"2025-11-23T23:00:00Z\",\"started\":\"2025-11-23T23:00:01Z\",\"cancel\":{\"at\":"
        "\"2025-11-23T23:00:02Z\",\"uid\":1000}}}\n"
        "{\"time\":\"2025-11-23T23:00:02.000Z\",\"what\":\"cancel\",\"id\":7,\"past\":true,"
        "\"task\":{\"id\":7,\"function\":\"exec\",\"state\":\"DONE\",\"outcome\":\"ok\","
        "\"submitted\":\"2025-11-23T23:00:00Z\",\"started\":\"2025-11-23T23:00:01Z\","
        "\"cancel\":{\"at\":\"2025-11-23T23:00:02Z\",\"uid\":1000}}}\n");
}

/* ---- as they are told ---- */

static void pack_event(struct buf *b, const char *what, const char *was, const char *state,
                       const char *task)
{
    struct pack_map_place map = pack_map_begin(b);
    pack_key(b, &map, "request");
    pack_uint(b, 3);
    pack_key(b, &map, "time");
    pack_text(b, "2025-11-23T23:41:00.005Z");
    pack_key(b, &map, "what");
    pack_text(b, what);
    pack_key(b, &map, "id");
    pack_uint(b, 7);
    pack_key(b, &map, "was");
    pack_text(b, was);
    pack_key(b, &map, "state");
    pack_text(b, state);
    if (task) {
        pack_key(b, &map, "task");
        pack_task(b, task);
    }
    pack_map_end(b, &map);
}

static void check_told(struct buf *packed, enum event_kind kind, bool json,
                       const char *expected)
{
    struct buf out = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    assert_int_equal(unpack(&u, packed->data, packed->len), 0);
    struct event event = event_read(&u.root);
    assert_int_equal(event.kind, kind);
    write_events(&out, &event, 1, json);
    assert_string_equal(buf_cstr(&out), expected);
    unpacked_done(&u);
    buf_done(packed);
    buf_done(&out);
}

static void test_told(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    pack_event(&b, "state", NULL, "PENDING", "id=7 state=PENDING title=x");
    check_told(&b, EVENT_NEW, true,
               "{\"time\":\"2025-11-23T23:41:00.005Z\",\"what\":\"state\",\"id\":7,\"state\":"
               "\"PENDING\",\"was\":null,\"task\":{\"id\":7,\"state\":\"PENDING\",\"title\":"
               "\"x\"}}\n");
    pack_event(&b, "state", "PENDING", "RUNNING", "state=RUNNING pid=9 title=x");
    check_told(&b, EVENT_STARTED, false,
               "23:41:00.005      7  PENDING → RUNNING         process 9       x\n");
    pack_event(&b, "state", "RUNNING", "SUSPENDED", "state=SUSPENDED awaits=timer title=x");
    check_told(&b, EVENT_CHANGED, false,
               "23:41:00.005      7  RUNNING → SUSPENDED       timer           x\n");
    pack_event(&b, "state", "RUNNING", "RUNNING", "cancel=2025-11-23T23:41:00Z title=x");
    check_told(&b, EVENT_CANCEL, false,
               "23:41:00.005      7  asked to end              by ana          x\n");
    pack_event(&b, "state", "RUNNING", "DONE", "state=DONE outcome=ok done=yes title=x");
    check_told(&b, EVENT_ENDED, false,
               "23:41:00.005      7  RUNNING → DONE ok         never started   x\n");
    pack_event(&b, "removed", NULL, NULL, NULL);
    check_told(&b, EVENT_REMOVED, false, "23:41:00.005      7  removed\n");
    pack_event(&b, "new\nword", NULL, NULL, NULL);
    check_told(&b, EVENT_OTHER, false, "23:41:00.005      7  new\\nword\n");
}

static void test_told_of_others(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    pack_map(&b, 3);
    pack_text(&b, "time");
    pack_text(&b, NOW);
    pack_text(&b, "what");
    pack_text(&b, "lost");
    pack_text(&b, "count");
    pack_uint(&b, 12);
    struct buf copy = BUF_INIT;
    buf_append(&copy, b.data, b.len);
    check_told(&b, EVENT_LOST, true,
               "{\"time\":\"2025-11-23T23:41:07.000Z\",\"what\":\"lost\",\"count\":12}\n");
    check_told(
        &copy, EVENT_LOST, false,
        "23:41:07.000         lost                      12 events: they came faster than they "
        "were read\n");
    pack_map(&b, 3);
    pack_text(&b, "time");
    pack_text(&b, NOW);
    pack_text(&b, "what");
    pack_text(&b, "group");
    pack_text(&b, "group");
    pack_map(&b, 3);
    pack_text(&b, "name");
    pack_text(&b, "con\tvert");
    pack_text(&b, "slots");
    pack_uint(&b, 2);
    pack_text(&b, "paused");
    pack_bool(&b, true);
    check_told(&b, EVENT_GROUP, false,
               "23:41:07.000         group                     con\\tvert, 2 slots, paused\n");
}

/* ---- none twice ---- */

static int see(struct seen *s, enum event_kind kind, uint64_t id, unsigned second)
{
    struct event e = {.kind = kind, .id = id, .time_ns = second * NSEC_PER_SEC};
    return seen_add(s, &e);
}

static void test_seen(void **state)
{
    (void)state;
    struct seen s = {.newest_ns = 0};
    assert_int_equal(see(&s, EVENT_NEW, 1, 1), 1);
    assert_int_equal(see(&s, EVENT_NEW, 1, 1), 0);
    assert_int_equal(see(&s, EVENT_NEW, 2, 1), 1);
    assert_int_equal(see(&s, EVENT_STARTED, 1, 2), 1);
    assert_int_equal(see(&s, EVENT_STARTED, 1, 2), 0);
    assert_int_equal(see(&s, EVENT_CHANGED, 1, 3), 1);
    assert_int_equal(see(&s, EVENT_CHANGED, 1, 3), 1); /* may be so again and again */
    assert_int_equal(see(&s, EVENT_ENDED, 1, 4), 1);
    assert_int_equal(see(&s, EVENT_CHANGED, 1, 4), 0);
    assert_int_equal(see(&s, EVENT_CANCEL, 1, 4), 0);
    assert_int_equal(see(&s, EVENT_ENDED, 1, 4), 0);
    assert_int_equal(see(&s, EVENT_REMOVED, 1, 5), 1);
    assert_int_equal(see(&s, EVENT_GROUP, 0, 5), 1);
    assert_int_equal(see(&s, EVENT_GROUP, 0, 5), 1);
    assert_int_equal(s.newest_ns, 5 * NSEC_PER_SEC);
    assert_int_equal(see(&s, EVENT_LOST, 0, 60), 1); /* tells of what was before */
    assert_int_equal(s.newest_ns, 5 * NSEC_PER_SEC);
    seen_done(&s);
}

/* The last ten seconds are remembered, whatever the number of tasks; the rest is given up. */
static void test_seen_forgets(void **state)
{
    (void)state;
    struct seen s = {.newest_ns = 0};
    for (unsigned second = 100; second < 160; second++) {
        for (unsigned i = 0; i < 1000; i++) {
            assert_int_equal(see(&s, EVENT_NEW, second * 1000 + i, second), 1);
            uint64_t before = second >= 105 ? (second - 5) * 1000 + i : second * 1000 + i;
            assert_int_equal(see(&s, EVENT_NEW, before, second), 0);
        }
    }
    assert_true(seen_since(&s) <= 149 * NSEC_PER_SEC);
    assert_true(seen_since(&s) >= 130 * NSEC_PER_SEC);
    assert_int_equal(see(&s, EVENT_NEW, 100 * 1000, 160), 1); /* long ago */
    assert_true(s.young.n + s.old.n < 25000);
    seen_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_past_lines), cmocka_unit_test(test_past_json),
        cmocka_unit_test(test_told),       cmocka_unit_test(test_told_of_others),
        cmocka_unit_test(test_seen),       cmocka_unit_test(test_seen_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
