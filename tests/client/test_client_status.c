/* SPDX-License-Identifier: MIT */
/*
 * aioctl status, is-done and their like against a fake daemon: what they ask, what they print, how
 * they exit.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "proto/pack.h"

/* Two tasks on the first page, none on the next; one group; `task` is answered with one. */
static void serve_status(struct fake *f, const struct rpc_message *m)
{
    bool first = !map_get(m->params, "from");
    rpc_write_result(&f->out, m->msgid);
    if (bytes_equal(m->method, "task")) {
        fake_task(f, "sleep", "ok", NULL, NULL, 0);
        return;
    }
    pack_map(&f->out, 3);
    pack_text(&f->out, "tasks");
    pack_array(&f->out, first ? 1 : 0);
    if (first)
        fake_task(f, "exec", "ok", NULL, NULL, 0);
    pack_text(&f->out, "next");
    if (first)
        pack_uint(&f->out, 7);
    else
        pack_nil(&f->out);
    pack_text(&f->out, "groups");
    pack_array(&f->out, 1);
    pack_map(&f->out, 1);
    pack_text(&f->out, "name");
    pack_text(&f->out, "g");
}

static void serve_nothing(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 2);
    pack_text(&f->out, "tasks");
    pack_array(&f->out, 0);
    pack_text(&f->out, "groups");
    pack_array(&f->out, 1);
    pack_map(&f->out, 1);
    pack_text(&f->out, "name");
    pack_text(&f->out, "g");
}

/* For programs: every live task, whatever the number of pages, and no count of today's. */
static void test_overview_for_programs(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "status|-g|g|-oid", serve_status), 0);
    fixture_check(f, "7\n", ""); /* all answers hold the same task: it is shown once */
    fixture_check_trace(
        f,
        "status "
        "{\"states\":[\"RUNNING\",\"SUSPENDED\"],\"group\":\"g\",\"order\":\"asc\",\"limit\":"
        "500}\n"
        "status {\"states\":[\"PENDING\"],\"group\":\"g\",\"order\":\"asc\",\"limit\":500}\n"
        "status {\"states\":[\"DONE\"],\"group\":\"g\",\"order\":\"desc\",\"limit\":20}\n"
        "status {\"states\":[\"RUNNING\",\"SUSPENDED\"],\"group\":\"g\",\"order\":\"asc\","
        "\"from\":7,\"limit\":500}\n"
        "status {\"states\":[\"PENDING\"],\"group\":\"g\",\"order\":\"asc\",\"from\":7,"
        "\"limit\":500}\n"
        "status {\"states\":[\"DONE\"],\"group\":\"g\",\"order\":\"desc\",\"from\":7,"
        "\"limit\":19}\n");
}

/* -n is about those DONE; 0 asks for none. */
static void test_overview_lines(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "ls|-n0|-ojson", serve_nothing), 0);
    fixture_check(f, "[]\n", "");
    fixture_check_trace(
        f, "status {\"states\":[\"RUNNING\",\"SUSPENDED\"],\"order\":\"asc\",\"limit\":500}\n"
           "status {\"states\":[\"PENDING\"],\"order\":\"asc\",\"limit\":500}\n");
}

static void test_pages(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "ps|--all|-s|done|-oid", serve_status), 0);
    assert_int_equal(fixture_run(f, "ps|--all|-ojson", serve_nothing), 0);
    fixture_check(f, "7\n[]\n", "");
    fixture_check_trace(
        f, "status {\"states\":[\"DONE\"],\"order\":\"desc\",\"limit\":500}\n"
           "status {\"states\":[\"DONE\"],\"order\":\"desc\",\"from\":7,\"limit\":500}\n"
           "status {\"order\":\"desc\",\"limit\":500}\n");
}

static void test_filters(void **state)
{
    struct fixture *f = *state;
    static const char *const lines[] = {
        "status|-oid|-n1|--failed",
        "status|-oid|-n1|--live|--ok|--cancelled",
        "status|-oid|-n1|--state=Running,SUSPENDED|-sdone",
        "status|-oid|-n1|--name|nightly|-gg",
        "status|-oid|-n1|--since|2025-11-23T23:00:00Z|--until|2025-11-24T01:00:00.5+01:00",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(fixture_run(f, lines[i], serve_nothing), 0);
    fixture_check_trace(
        f,
        "status "
        "{\"states\":[\"DONE\"],\"outcomes\":[\"failed\"],\"order\":\"desc\",\"limit\":1}\n"
        "status {\"states\":[\"PENDING\",\"RUNNING\",\"SUSPENDED\",\"DONE\"],"
        "\"outcomes\":[\"ok\",\"cancelled\"],\"order\":\"desc\",\"limit\":1}\n"
        "status "
        "{\"states\":[\"RUNNING\",\"SUSPENDED\",\"DONE\"],\"order\":\"desc\",\"limit\":1}\n"
        "status {\"group\":\"g\",\"name\":\"nightly\",\"order\":\"desc\",\"limit\":1}\n"
        "status {\"since\":\"2025-11-23T23:00:00.000Z\",\"until\":\"2025-11-24T00:00:00.500Z\","
        "\"order\":\"desc\",\"limit\":1}\n");
}

static void test_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "status|nap", serve_status), 0);
    fixture_check(
        f,
        "task 7   ok  never started\n"
        "  coroutine   sleep()\n"
        "  asyncio     done() True    cancelled() False    result() None    exception() None\n"
        "  next        aioctl rm 7\n",
        "");
    fixture_check_trace(f, "task {\"id\":\"nap\",\"env\":false}\n");
}

/* An unknown group, and words that mean nothing, are 3; a filter that matches nothing is an
 * answer. */
static void test_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        {"status|-gnope", 3},   {"status|-gnope|-ojson", 3}, {"status|-gnope|--failed", 3},
        {"status|3-9|-oid", 3}, {"status|3-9", 3},           {"status|-gg|--failed|-oid", 0},
        {"status|--failed", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(fixture_run(f, cases[i].line, serve_nothing), cases[i].status);
    fixture_check(f, "",
                  "aioctl: status: there is no group nope: `aioctl group` lists them\n"
                  "aioctl: status: there is no group nope: `aioctl group` lists them\n"
                  "aioctl: status: there is no group nope: `aioctl group` lists them\n"
                  "aioctl: status: nothing matches\n"
                  "aioctl: status: nothing matches\n"
                  "aioctl: status: no task matches\n");
}

static void test_usage(void **state)
{
    struct fixture *f = *state;
    static const char *const lines[] = {"status|-sfailed",
                                        "status|-srunning,|1",
                                        "status|--since|soon",
                                        "status|-a|-n0",
                                        "status|-n0|--done",
                                        "status|--watch|-oid",
                                        "status|--since|10|--until|1h"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(fixture_run(f, lines[i], NULL), 2);
    fixture_check(
        f, "",
        "aioctl: status: --state: \"failed\" is no state: --failed\n"
        "aioctl: status: --state: \"\" is none of pending, running, suspended, done\n"
        "aioctl: status: --since: \"soon\" is neither a duration, such as 90s, 2h, 7d, nor a "
        "time, such as 14:00, today, \"yesterday 08:00\", 2025-12-24, \"2025-12-24 18:00\"\n"
        "aioctl: status: -n: at least one task\n"
        "aioctl: status: -n: at least one task\n"
        "aioctl: status: --watch draws tables; for programs there is: aioctl events -f -o "
        "jsonl\n"
        "aioctl: status: that begins after it ends: no task can match\n");
}

/* ---- is-done, is-cancelled, is-failed ---- */

/* The word says what the tasks are: "ok,failed" gives two. */
static void serve_outcomes(struct fake *f, const struct rpc_message *m)
{
    struct bytes word = object_text(&map_get(m->params, "ids")->via.array.ptr[0]);
    if (bytes_equal(word, "none")) {
        fake_error(f, m->msgid, -ENOENT, "there is no task named \"none\"");
        return;
    }
    bool two = bytes_equal(word, "two");
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 1);
    pack_text(&f->out, "tasks");
    pack_array(&f->out, bytes_equal(word, "1-9") ? 0 : two ? 2 : 1);
    if (bytes_equal(word, "1-9"))
        return;
    for (int i = 0; i < 1 + two; i++) {
        char outcome[16] = "failed";
        if (!two)
            memcpy(outcome, word.data, word.len + 1 < sizeof(outcome) ? word.len : 0);
        if (!two)
            outcome[word.len] = '\0';
        if (two && i == 1)
            (void)snprintf(outcome, sizeof(outcome), "ok");
        pack_map(&f->out, 3);
        pack_text(&f->out, "done");
        pack_bool(&f->out, strcmp(outcome, "live") != 0);
        pack_text(&f->out, "cancelled");
        pack_bool(&f->out, strcmp(outcome, "cancelled") == 0);
        pack_text(&f->out, "outcome");
        pack_text(&f->out, outcome);
    }
}

static void test_is(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        {"is-done|ok", 0},          {"is-done|failed", 0},    {"is-done|live", 1},
        {"is-done|two", 0},         {"is-done|none", 3},      {"is-done|1-9", 3},
        {"is-failed|failed", 0},    {"is-failed|two", 1},     {"is-failed|ok", 1},
        {"is-failed|live", 1},      {"is-failed|none", 3},    {"is-cancelled|cancelled", 0},
        {"is-cancelled|failed", 1}, {"is-cancelled|live", 1}, {"is-cancelled|none", 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(fixture_run(f, cases[i].line, serve_outcomes), cases[i].status);
    fixture_check(f, "", "");
    assert_int_equal(fixture_run(f, "is-done", NULL), 2);
    fixture_check(f, "", "aioctl: is-done: which task?: aioctl help is-done\n");
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_overview_for_programs),
        WITH_FIXTURE(test_overview_lines),
        WITH_FIXTURE(test_pages),
        WITH_FIXTURE(test_filters),
        WITH_FIXTURE(test_one),
        WITH_FIXTURE(test_nothing),
        WITH_FIXTURE(test_usage),
        WITH_FIXTURE(test_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
