/* SPDX-License-Identifier: MIT */
/*
 * await, wait, result and logs against a fake daemon: what they ask, what they print, how they
 * exit.
 */
#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "proto/pack.h"

/* `status`, which says that a word means task 7. */
static bool serve_word(struct fake *f, const struct rpc_message *m)
{
    if (!bytes_equal(m->method, "status"))
        return false;
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 1);
    pack_text(&f->out, "tasks");
    pack_array(&f->out, 1);
    fake_task(f, "exec", "ok", NULL, NULL, 0);
    return true;
}

/* ---- await, result ---- */

static void serve_result(struct fake *f, const struct rpc_message *m)
{
    uint64_t id = map_uint(m->params, "id", 0);
    if (serve_word(f, m))
        return;
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 3);
    pack_text(&f->out, "id");
    pack_uint(&f->out, 7);
    pack_text(&f->out, "outcome");
    pack_text(&f->out, "ok");
    pack_text(&f->out, "result");
    if (id == 1)
        pack_nil(&f->out);
    else if (id == 2)
        pack_double(&f->out, 2);
    else
        pack_text(&f->out, "a\ttext");
}

static void test_await_results(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "await|1", serve_result), 0);
    assert_int_equal(fixture_run(f, "await|2", serve_result), 0);
    assert_int_equal(fixture_run(f, "await|nap", serve_result), 0);
    assert_int_equal(fixture_run(f, "await|3-9", serve_result), 0);
    assert_int_equal(fixture_run(f, "result|nap", serve_result), 0);
    fixture_check(f, "2.0\na\ttext\na\ttext\na\ttext\n", "");
    fixture_check_trace(f, "await {\"id\":1}\nawait {\"id\":2}\n"
                           "status {\"ids\":[\"nap\"],\"limit\":1}\nawait {\"id\":7}\n"
                           "await {\"id\":\"3-9\"}\nresult {\"id\":\"nap\"}\n");
}

static void serve_failed(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    fake_task(f, "exec", "failed", "ExitStatus", "exit", 3);
}

static void serve_cancelled(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    fake_task(f, "sleep", "cancelled", NULL, NULL, 0);
}

static void test_await_failures(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "await|7", serve_failed), 1);
    assert_int_equal(fixture_run(f, "await|--propagate|7", serve_failed), 3);
    assert_int_equal(fixture_run(f, "await|7", serve_cancelled), 1);
    fixture_check(f, "",
                  "aioctl: await: task 7 failed: it broke\n"
                  "aioctl: await: task 7 failed: it broke\n"
                  "aioctl: await: task 7 was cancelled\n");
}

/* The daemon knows what was left of the time, not the whole. */
static void serve_timeout(struct fake *f, const struct rpc_message *m)
{
    double timeout = map_number(m->params, "timeout", 0);
    bool sane = timeout > 0 && timeout <= 3600;
    fake_error(f, m->msgid, sane ? -ETIMEDOUT : -EINVAL, "task 7 is not done after 0.3 s");
}

static void serve_not_done(struct fake *f, const struct rpc_message *m)
{
    fake_error(f, m->msgid, -EINPROGRESS, "task 7 is RUNNING");
}

static void test_await_errors(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "await|-t|1h|7", serve_timeout), 124);
    assert_int_equal(fixture_run(f, "await|--propagate|-t|1h|7", serve_timeout), 124);
    assert_int_equal(fixture_run(f, "result|7", serve_not_done), 5);
    fixture_check(f, "",
                  "aioctl: await: task 7 is not done after 3600 s\n"
                  "aioctl: await: task 7 is not done after 3600 s\n"
                  "aioctl: result: task 7 is RUNNING\n");
    assert_int_equal(fixture_run(f, "await|7", fake_close), 4);
    assert_int_equal(fixture_run(f, "await|--propagate|7", fake_close), 125);
    assert_int_equal(fixture_run(f, "result|7", fake_close), 4);
}

/* ---- wait ---- */

static void pack_ended(struct fake *f, uint64_t id, const char *outcome, const char *ended)
{
    pack_map(&f->out, 4);
    pack_text(&f->out, "id");
    pack_uint(&f->out, id);
    pack_text(&f->out, "title");
    pack_text(&f->out, "a title");
    pack_text(&f->out, "outcome");
    pack_text(&f->out, outcome);
    pack_text(&f->out, "ended");
    pack_text(&f->out, ended);
}

static void pack_ids(struct fake *f, const char *key, uint64_t first, uint32_t n)
{
    pack_text(&f->out, key);
    pack_array(&f->out, n);
    for (uint32_t i = 0; i < n; i++)
        pack_uint(&f->out, first + i);
}

static void begin_answer(struct fake *f, const struct rpc_message *m, uint32_t done)
{
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 4);
    pack_text(&f->out, "done");
    pack_array(&f->out, done);
}

static void end_answer(struct fake *f, uint64_t rest, uint32_t nrest, uint32_t npending)
{
    pack_ids(f, "rest", rest, nrest);
    pack_ids(f, "pending", 21, npending);
    pack_text(&f->out, "timed_out");
    pack_bool(&f->out, npending > 0);
}

/* The live ones in two pages; then two answers, which come out of order. */
static void serve_live(struct fake *f, const struct rpc_message *m)
{
    if (bytes_equal(m->method, "status")) {
        uint64_t from = map_uint(m->params, "from", 0);
        rpc_write_result(&f->out, m->msgid);
        pack_map(&f->out, 2);
        pack_text(&f->out, "tasks");
        pack_array(&f->out, 2);
        for (uint32_t i = 1; i <= 2; i++) {
            pack_map(&f->out, 1);
            pack_text(&f->out, "id");
            pack_uint(&f->out, from + i);
        }
        pack_text(&f->out, "next");
        if (from)
            pack_nil(&f->out);
        else
            pack_uint(&f->out, 2);
        return;
    }
    const msgpack_object *ids = map_get(m->params, "ids");
    if (bytes_equal(object_text(&ids->via.array.ptr[0]), "1-4")) {
        begin_answer(f, m, 2);
        pack_ended(f, 3, "ok", "2025-01-01T00:00:03.000Z");
        pack_ended(f, 1, "failed", "2025-01-01T00:00:04.000Z");
        end_answer(f, 2, 1, 0);
    } else {
        begin_answer(f, m, 1);
        pack_ended(f, 2, "ok", "2025-01-01T00:00:03.000Z");
        end_answer(f, 0, 0, 0);
    }
}

static void test_wait_for_the_live_ones(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "wait", serve_live), 1);
    fixture_check(f, "3 ok a title\n2 ok a title\n1 failed a title\n", "");
    fixture_check_trace(
        f, "status {\"states\":[\"PENDING\",\"RUNNING\",\"SUSPENDED\"],\"order\":\"asc\","
           "\"limit\":1000}\n"
           "status {\"states\":[\"PENDING\",\"RUNNING\",\"SUSPENDED\"],\"order\":\"asc\","
           "\"from\":2,\"limit\":1000}\n"
           "wait {\"mode\":\"all\",\"ids\":[\"1-4\"]}\n"
           "wait {\"mode\":\"all\",\"ids\":[\"2-2\"]}\n");
}

static void serve_no_live(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 1);
    pack_text(&f->out, "tasks");
    pack_array(&f->out, 0);
}

static void test_wait_for_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "wait", serve_no_live), 0);
    fixture_check(f, "", "");
    assert_int_equal(fixture_run(f, "wait|-ojson|all", serve_no_live), 0);
    fixture_check(f, "{\"done\":[],\"pending\":[],\"timed_out\":false}\n", "");
}

static void serve_first(struct fake *f, const struct rpc_message *m)
{
    if (serve_word(f, m))
        return;
    begin_answer(f, m, 1);
    pack_ended(f, 7, "ok", "2025-01-01T00:00:03.000Z");
    end_answer(f, 0, 0, 0);
}

static void test_wait_first(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "wait|--first|12|3-9|x|12", serve_first), 0);
    fixture_check(f, "7 ok a title\n", "");
    /* 7 is named by x: it must exist, as 12 */
    fixture_check_trace(f, "status {\"ids\":[\"x\"],\"limit\":1}\n"
                           "wait {\"mode\":\"first\",\"ids\":[\"3-6\",7,\"8-9\",12]}\n");
}

/* Two are pending when the time is over. */
static void serve_late(struct fake *f, const struct rpc_message *m)
{
    begin_answer(f, m, 1);
    pack_ended(f, 20, "ok", "2025-01-01T00:00:03.000Z");
    end_answer(f, 0, 0, 2);
}

static void serve_later(struct fake *f, const struct rpc_message *m)
{
    begin_answer(f, m, 0);
    end_answer(f, 0, 0, 1);
}

static void test_wait_times_out(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "wait|-t|1.5|20-22", serve_late), 124);
    assert_int_equal(fixture_run(f, "wait|-t|0|21", serve_later), 124);
    fixture_check(f, "20 ok a title\n",
                  "aioctl: wait: 2 of 3 tasks are not done after 1.5 s\n"
                  "aioctl: wait: task 21 is not done after 0 s\n");
}

static void test_wait_json(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "wait|-t|1|-ojson|20-22", serve_late), 124);
    assert_int_equal(fixture_run(f, "wait|-ojsonl|1-4", serve_live), 1);
    fixture_check(f,
                  "{\"done\":[{\"id\":20,\"title\":\"a title\",\"outcome\":\"ok\",\"ended\":"
                  "\"2025-01-01T00:00:03.000Z\"}],\"pending\":[21,22],\"timed_out\":true}\n"
                  "{\"id\":3,\"title\":\"a title\",\"outcome\":\"ok\",\"ended\":"
                  "\"2025-01-01T00:00:03.000Z\"}\n"
                  "{\"id\":2,\"title\":\"a title\",\"outcome\":\"ok\",\"ended\":"
                  "\"2025-01-01T00:00:03.000Z\"}\n"
                  "{\"id\":1,\"title\":\"a title\",\"outcome\":\"failed\",\"ended\":"
                  "\"2025-01-01T00:00:04.000Z\"}\n",
                  "aioctl: wait: 2 of 3 tasks are not done after 1 s\n");
}

/* A set larger than a message goes in parts; a range ends where the tasks do. */
static void serve_many(struct fake *f, const struct rpc_message *m)
{
    if (bytes_equal(m->method, "status")) {
        rpc_write_result(&f->out, m->msgid);
        pack_map(&f->out, 1);
        pack_text(&f->out, "tasks");
        pack_array(&f->out, 1);
        pack_ended(f, 20000, "ok", "");
        return;
    }
    begin_answer(f, m, 0);
    end_answer(f, 0, 0, 0);
}

static void test_wait_in_parts(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "wait|1-1000000000000", serve_many), 0);
    fixture_check(f, "", "");
    fixture_check_trace(f, "status {\"limit\":1}\n"
                           "wait {\"mode\":\"all\",\"ids\":[\"1-9472\"]}\n"
                           "wait {\"mode\":\"all\",\"ids\":[\"9473-18944\"]}\n"
                           "wait {\"mode\":\"all\",\"ids\":[\"18945-20000\"]}\n");
}

/* ---- logs ---- */

static void serve_logs(struct fake *f, const struct rpc_message *m)
{
    if (serve_word(f, m))
        return;
    if (map_bool(m->params, "follow", false)) {
        fake_logs(f, m->msgid, "out", " more\n");
    } else {
        fake_logs(f, m->msgid, "out", "raw \x1b[2J\x01");
        fake_logs(f, m->msgid, "out", " bytes\n");
    }
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 2);
    pack_text(&f->out, "offset");
    pack_uint(&f->out, 107);
    pack_text(&f->out, "attempt");
    pack_uint(&f->out, 2);
}

static void test_logs(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "logs|-n5|--stderr|nap", serve_logs), 0);
    fixture_check(f, "raw \x1b[2J\x01 bytes\n", "");
    fixture_check_trace(f, "logs {\"id\":\"nap\",\"stream\":\"err\",\"tail\":5}\n");
}

/* What is there, then on from where that ends. */
static void test_logs_follow(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "logs|-fn5", serve_logs), 0);
    fixture_check(f, "raw \x1b[2J\x01 bytes\n more\n", "");
    fixture_check_trace(f, "status {\"ids\":[\"last\"],\"limit\":1}\n"
                           "logs {\"id\":7,\"stream\":\"out\",\"tail\":5}\n"
                           "logs {\"id\":7,\"stream\":\"out\",\"offset\":107,\"attempt\":2,"
                           "\"follow\":true}\n");
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_await_results),    WITH_FIXTURE(test_await_failures),
        WITH_FIXTURE(test_await_errors),     WITH_FIXTURE(test_wait_for_the_live_ones),
        WITH_FIXTURE(test_wait_for_nothing), WITH_FIXTURE(test_wait_first),
        WITH_FIXTURE(test_wait_times_out),   WITH_FIXTURE(test_wait_json),
        WITH_FIXTURE(test_wait_in_parts),    WITH_FIXTURE(test_logs),
        WITH_FIXTURE(test_logs_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
