/* SPDX-License-Identifier: MIT */
/*
 * aioctl cancel, rm and retry against a fake daemon: words go as they are, filters and long
 * ranges are listed first; what is said of few tasks and of many.
 */
#include <errno.h>

#include "fixture.h"
#include "proto/pack.h"

static void pack_pair(struct buf *b, const char *key, unsigned value)
{
    pack_text(b, key);
    pack_uint(b, value);
}

/* `status` lists the ids that arg's test wants: last first, without further pages. Task 5 was
 * retried. */
static void list_tasks(struct fake *f, unsigned n)
{
    pack_map(&f->out, 2);
    pack_text(&f->out, "tasks");
    pack_array(&f->out, n);
    for (unsigned i = n; i > 0; i--) {
        pack_map(&f->out, i == 5 ? 2 : 1);
        pack_pair(&f->out, "id", i);
        if (i == 5)
            pack_pair(&f->out, "retried_as", 77);
    }
    pack_text(&f->out, "groups");
    pack_array(&f->out, 1);
    pack_map(&f->out, 1);
    pack_text(&f->out, "name");
    pack_text(&f->out, "g");
}

/* What a word of `ids` begins with, as a number. */
static unsigned id_of(const msgpack_object *word)
{
    struct bytes text = object_text(word);
    unsigned id = 0;
    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        id = id * 10 + (unsigned)(text.data[i] - '0');
    return id;
}

/* Even ones are live. Their retries have 100 more. */
static void pack_item(struct buf *b, struct bytes method, unsigned id)
{
    bool live = id % 2 == 0;
    bool cancel = bytes_equal(method, "cancel");
    pack_map(b, 4);
    pack_pair(b, "id", id);
    pack_text(b, "state");
    pack_text(b, live ? "RUNNING" : "DONE");
    if (bytes_equal(method, "retry")) {
        pack_text(b, "new");
        if (live || id == 9)
            pack_nil(b);
        else
            pack_uint(b, id + 100);
    } else {
        pack_text(b, cancel ? "asked" : "removed");
        pack_bool(b, live == cancel);
    }
    pack_text(b, id == 9 ? "error" : "grace");
    if (id != 9) {
        pack_uint(b, 10);
        return;
    }
    pack_map(b, 2);
    pack_text(b, "code");
    pack_text(b, "not-found");
    pack_text(b, "message");
    pack_text(b, "there is no group \x1b[31mgone");
}

static void serve(struct fake *f, const struct rpc_message *m, unsigned tasks)
{
    const msgpack_object *ids = map_get(m->params, "ids");
    rpc_write_result(&f->out, m->msgid);
    if (bytes_equal(m->method, "status")) {
        list_tasks(f, tasks);
        return;
    }
    size_t n =
        bytes_equal(object_text(&ids->via.array.ptr[0]), "90-99") ? 0 : ids->via.array.size;
    pack_array(&f->out, n);
    for (size_t i = 0; i < n; i++)
        pack_item(&f->out, m->method, id_of(&ids->via.array.ptr[i]));
}

static void serve_none(struct fake *f, const struct rpc_message *m)
{
    serve(f, m, 0);
}

static void serve_few(struct fake *f, const struct rpc_message *m)
{
    serve(f, m, 5);
}

static void serve_many(struct fake *f, const struct rpc_message *m)
{
    serve(f, m, 24);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "cancel|2", serve_few), 0);
    assert_int_equal(fixture_run(f, "cancel|2|--kill", serve_few), 0);
    assert_int_equal(fixture_run(f, "cancel|1", serve_few), 5);
    assert_int_equal(fixture_run(f, "cancel|90-99", serve_few), 3);
    fixture_check(
        f, "",
        "aioctl: cancel: 2 is asked to end: SIGTERM to its processes now, SIGKILL in 10 s "
        "(--kill: now)\n"
        "aioctl: cancel: 2 is asked to end: SIGKILL to its processes now\n"
        "aioctl: cancel: 1 is DONE already\n"
        "aioctl: cancel: nothing matches\n");
    fixture_check_trace(f, "cancel {\"ids\":[\"2\"],\"kill\":false}\n"
                           "cancel {\"ids\":[\"2\"],\"kill\":true}\n"
                           "cancel {\"ids\":[\"1\"],\"kill\":false}\n"
                           "cancel {\"ids\":[\"90-99\"],\"kill\":false}\n");
}

/* What a listing named is cancelled from the end of the line, and may be gone. */
static void test_cancel_picked(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "cancel|all", serve_few), 0);
    assert_int_equal(fixture_run(f, "cancel|-gg|-spending", serve_none), 3);
    assert_int_equal(fixture_run(f, "cancel|-gnope", serve_none), 3);
    fixture_check_trace(
        f,
        "status "
        "{\"states\":[\"PENDING\",\"RUNNING\",\"SUSPENDED\"],\"order\":\"desc\",\"limit\":500}"
        "\n"
        "cancel {\"ids\":[\"5-5\",\"4-4\",\"3-3\",\"2-2\",\"1-1\"],\"kill\":false}\n"
        "status {\"states\":[\"PENDING\"],\"group\":\"g\",\"order\":\"desc\",\"limit\":500}\n"
        "status {\"states\":[\"PENDING\",\"RUNNING\",\"SUSPENDED\"],\"group\":\"nope\","
        "\"order\":\"desc\",\"limit\":500}\n");
}

static void test_cancel_many(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "cancel|--kill|-gg", serve_many), 0);
    fixture_check(f, "",
                  "aioctl: cancel: 24 is asked to end: SIGKILL to its processes now\n"
                  "aioctl: cancel: 23 is DONE already\n"
                  "aioctl: cancel: 22 is asked to end: SIGKILL to its processes now\n"
                  "aioctl: cancel: 21 is DONE already\n"
                  "aioctl: cancel: 20 is asked to end: SIGKILL to its processes now\n"
                  "aioctl: cancel: 19 is DONE already\n"
                  "aioctl: cancel: 18 is asked to end: SIGKILL to its processes now\n"
                  "aioctl: cancel: 17 is DONE already\n"
                  "aioctl: cancel: 16 is asked to end: SIGKILL to its processes now\n"
                  "aioctl: cancel: 15 is DONE already\n"
                  "aioctl: cancel: and so on: 12 are asked to end, 12 are DONE already\n");
}

static void test_rm(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "rm|1", serve_few), 0);
    assert_int_equal(fixture_run(f, "rm|1|2|3", serve_few), 5);
    assert_int_equal(fixture_run(f, "rm|90-99", serve_few), 3);
    assert_int_equal(fixture_run(f, "rm|--failed|-gg", serve_few), 5);
    fixture_check(f, "",
                  "aioctl: rm: removed 1 task\n"
                  "aioctl: rm: 2 is RUNNING: cancel it first: aioctl cancel 2\n"
                  "aioctl: rm: removed 2 tasks\n"
                  "aioctl: rm: nothing matches\n"
                  "aioctl: rm: 2 is RUNNING: cancel it first: aioctl cancel 2\n"
                  "aioctl: rm: 4 is RUNNING: cancel it first: aioctl cancel 4\n"
                  "aioctl: rm: removed 3 tasks\n");
    fixture_check_trace(f, "remove {\"ids\":[\"1\"]}\n"
                           "remove {\"ids\":[\"1\",\"2\",\"3\"]}\n"
                           "remove {\"ids\":[\"90-99\"]}\n"
                           "status "
                           "{\"states\":[\"DONE\"],\"outcomes\":[\"failed\"],\"group\":\"g\","
                           "\"order\":\"desc\",\"limit\":500}\n"
                           "remove {\"ids\":[\"1-1\",\"2-2\",\"3-3\",\"4-4\",\"5-5\"]}\n");
}

/* A range that may mean thousands is listed; each request is about 4 000 at most. */
static void test_rm_in_batches(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "rm|1-4001", serve_few), 5);
    assert_int_equal(fixture_run(f, "rm|1-4000", serve_few), 0);
    fixture_check_trace(f, "status {\"ids\":[\"1-4001\"],\"order\":\"desc\",\"limit\":500}\n"
                           "remove {\"ids\":[\"1-1\",\"2-2\",\"3-3\",\"4-4\",\"5-5\"]}\n"
                           "remove {\"ids\":[\"1-4000\"]}\n");
}

static void test_retry(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "retry|1|3", serve_few), 0);
    assert_int_equal(fixture_run(f, "retry|5|2", serve_few), 5);
    assert_int_equal(fixture_run(f, "retry|9", serve_few), 3);
    assert_int_equal(fixture_run(f, "retry|-ojsonl|7", serve_few), 0);
    assert_int_equal(fixture_run(f, "retry|-ojson|90-99", serve_few), 3);
    fixture_check(f, "101\n103\n105\n{\"id\":7,\"state\":\"DONE\",\"new\":107,\"grace\":10}\n",
                  "aioctl: retry: 2 is RUNNING: only what is DONE can be retried\n"
                  "aioctl: retry: 9: there is no group \\e[31mgone\n"
                  "aioctl: retry: nothing matches\n");
}

/* By filters: the oldest first, less those that were retried. */
static void test_retry_picked(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "retry|--failed|-gg", serve_few), 5);
    fixture_check(f, "101\n103\n",
                  "aioctl: retry: 2 is RUNNING: only what is DONE can be retried\n"
                  "aioctl: retry: 4 is RUNNING: only what is DONE can be retried\n");
    fixture_check_trace(f, "status "
                           "{\"states\":[\"DONE\"],\"outcomes\":[\"failed\"],\"group\":\"g\","
                           "\"order\":\"desc\",\"limit\":500}\n"
                           "retry {\"ids\":[\"1-1\",\"2-2\",\"3-3\",\"4-4\"]}\n");
}

static void test_usage(void **state)
{
    struct fixture *f = *state;
    static const char *const lines[] = {
        "cancel", "rm",        "rm|-gg",        "rm|--since|1h",
        "retry",  "retry|-gg", "cancel|-sdone", "rm|--done|--older|1d|--until|1h"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(fixture_run(f, lines[i], NULL), 2);
    assert_int_equal(fixture_run(f, "retry|all|--failed", serve_few), 3);
    fixture_check(
        f, "",
        "aioctl: cancel: which tasks? IDs, all, -g GROUP, --state STATE: aioctl help cancel\n"
        "aioctl: rm: which tasks? IDs, --done, --failed, --older 7d, …: aioctl help rm\n"
        "aioctl: rm: which tasks? IDs, --done, --failed, --older 7d, …: aioctl help rm\n"
        "aioctl: rm: which tasks? IDs, --done, --failed, --older 7d, …: aioctl help rm\n"
        "aioctl: retry: which tasks? IDs, --failed, --cancelled, …: aioctl help retry\n"
        "aioctl: retry: which tasks? IDs, --failed, --cancelled, …: aioctl help retry\n"
        "aioctl: cancel: --state: what is DONE cannot be cancelled\n"
        "aioctl: rm: --until and --older exclude each other\n"
        "aioctl: retry: nothing matches: \"all\" is every live task\n");
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_cancel),        WITH_FIXTURE(test_cancel_picked),
        WITH_FIXTURE(test_cancel_many),   WITH_FIXTURE(test_rm),
        WITH_FIXTURE(test_rm_in_batches), WITH_FIXTURE(test_retry),
        WITH_FIXTURE(test_retry_picked),  WITH_FIXTURE(test_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
