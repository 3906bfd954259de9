/* SPDX-License-Identifier: MIT */
/*
 * Whole commands, in a process of their own, against a fake daemon behind a socket whose path
 * is longer than sun_path: what they ask, what they print where, how they exit.
 */
#include <errno.h>
#include <signal.h>

#include "fixture.h"
#include "proto/pack.h"

static void serve_submit(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 1);
    pack_text(&f->out, "id");
    pack_uint(&f->out, 7);
}

static void test_submit(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "submit|--call|sleep|--in|1m|2.5", serve_submit), 0);
    fixture_check(f, "7\n", "");
    fixture_check_trace(f, "submit {\"function\":\"sleep\",\"in\":60.0,\"args\":[\"2.5\"]}\n");
}

static void test_submit_json(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "submit|-ojson|--call|f", serve_submit), 0);
    fixture_check(f, "{\"id\":7}\n", "");
}

static void serve_limit(struct fake *f, const struct rpc_message *m)
{
    fake_error(f, m->msgid, -EDQUOT, "100000 tasks are queued:\n wait");
}

static void test_submit_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "submit|true", serve_limit), 5);
    fixture_check(f, "", "aioctl: submit: 100000 tasks are queued:\\n wait\n");
}

static void test_submit_nobody_reads(void **state)
{
    struct fixture *f = *state;
    f->pipe_gone = true;
    assert_int_equal(fixture_run(f, "submit|true", serve_submit), 128 + SIGPIPE);
    fixture_check(f, "", "");
}

static void test_unreachable(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "health|--socket|/nowhere/s", NULL), 4);
    fixture_check(f, "",
                  "aioctl: health: no running event loop at /nowhere/s: start it with: aiod\n");
}

static void test_usage(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "await|--nope|7", NULL), 2);
    assert_int_equal(fixture_run(f, "run|--nope", NULL), 125);
    assert_int_equal(fixture_run(f, "nope", NULL), 2);
    fixture_check(f, "",
                  "aioctl: await: there is no option --nope: aioctl help await\n"
                  "aioctl: run: there is no option --nope: aioctl help run\n"
                  "aioctl: there is no verb nope: `aioctl help` lists them\n");
}

static void test_version(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "--version", NULL), 0);
    fixture_check(f, "aioctl " AIOD_VERSION "\n", "");
}

/* The result is in `arg` of the test: text, nil or a number. */
static void serve_result(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 3);
    pack_text(&f->out, "id");
    pack_uint(&f->out, 7);
    pack_text(&f->out, "outcome");
    pack_text(&f->out, "ok");
    pack_text(&f->out, "result");
    struct bytes id = map_text(m->params, "id");
    if (bytes_equal(id, "nil"))
        pack_nil(&f->out);
    else if (bytes_equal(id, "number"))
        pack_double(&f->out, 2);
    else
        pack_text(&f->out, "a\ttext");
}

static void test_await_results(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "await|nil", serve_result), 0);
    assert_int_equal(fixture_run(f, "await|number|--timeout|1.5", serve_result), 0);
    assert_int_equal(fixture_run(f, "result|text", serve_result), 0);
    fixture_check(f, "2.0\na\ttext\n", "");
    fixture_check_trace(f, "await {\"id\":\"nil\"}\nawait {\"id\":\"number\",\"timeout\":1.5}\n"
                           "result {\"id\":\"text\"}\n");
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

static void serve_timeout(struct fake *f, const struct rpc_message *m)
{
    fake_error(f, m->msgid, -ETIMEDOUT, "task 7 is not DONE after 1 s");
}

static void serve_not_done(struct fake *f, const struct rpc_message *m)
{
    fake_error(f, m->msgid, -EINPROGRESS, "task 7 is RUNNING");
}

static void serve_vanish(struct fake *f, const struct rpc_message *m)
{
    (void)m;
    f->closing = true;
}

static void test_await_errors(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "await|-t|1|7", serve_timeout), 124);
    assert_int_equal(fixture_run(f, "await|--propagate|-t|1|7", serve_timeout), 124);
    assert_int_equal(fixture_run(f, "result|7", serve_not_done), 5);
    f->fake.closing = false;
    assert_int_equal(fixture_run(f, "await|7", serve_vanish), 4);
    f->fake.closing = false;
    assert_int_equal(fixture_run(f, "await|--propagate|7", serve_vanish), 125);
}

static void serve_wait(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 3);
    pack_text(&f->out, "done");
    pack_array(&f->out, 2);
    fake_task(f, "exec", "ok", NULL, NULL, 0);
    fake_task(f, "exec", "failed", "Signal", "signal", 9);
    pack_text(&f->out, "pending");
    pack_array(&f->out, 0);
    pack_text(&f->out, "timed_out");
    pack_bool(&f->out, map_get(m->params, "timeout") != NULL);
}

static void test_wait(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "wait", serve_wait), 1);
    fixture_check(f, "7 ok a title\n7 failed a title\n", "");
    assert_int_equal(fixture_run(f, "wait|--first|--timeout|2|3-9|x", serve_wait), 124);
    fixture_check_trace(f,
                        "wait {\"mode\":\"all\"}\n"
                        "wait {\"mode\":\"first\",\"ids\":[\"3-9\",\"x\"],\"timeout\":2.0}\n");
}

static void serve_cancel(struct fake *f, const struct rpc_message *m)
{
    bool asked = bytes_equal(object_text(&map_get(m->params, "ids")->via.array.ptr[0]), "1");
    rpc_write_result(&f->out, m->msgid);
    pack_array(&f->out, 1);
    pack_map(&f->out, 5);
    pack_text(&f->out, "id");
    pack_uint(&f->out, 1);
    pack_text(&f->out, "state");
    pack_text(&f->out, asked ? "RUNNING" : "DONE");
    pack_text(&f->out, "grace");
    pack_uint(&f->out, 10);
    pack_text(&f->out, "asked");
    pack_bool(&f->out, asked);
    pack_text(&f->out, "removed");
    pack_bool(&f->out, !asked);
}

static void test_cancel_and_rm(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "cancel|1", serve_cancel), 0);
    assert_int_equal(fixture_run(f, "cancel|1|--kill", serve_cancel), 0);
    assert_int_equal(fixture_run(f, "cancel|2", serve_cancel), 5);
    assert_int_equal(fixture_run(f, "rm|2", serve_cancel), 0);
    assert_int_equal(fixture_run(f, "rm|1", serve_cancel), 5);
    fixture_check(
        f, "",
        "aioctl: cancel: 1 is asked to end: SIGTERM to its processes now, SIGKILL in 10 s "
        "(--kill: now)\n"
        "aioctl: cancel: 1 is asked to end: SIGKILL to its processes now\n"
        "aioctl: cancel: 1 is DONE already\n"
        "aioctl: rm: 1 is RUNNING: cancel it first: aioctl cancel 1\n");
}

static void serve_logs(struct fake *f, const struct rpc_message *m)
{
    fake_logs(f, m->msgid, "out", "raw \x1b[2J\x01");
    fake_logs(f, m->msgid, "out", " bytes\n");
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 0);
}

static void test_logs(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "logs|-fn5", serve_logs), 0);
    fixture_check(f, "raw \x1b[2J\x01 bytes\n", "");
    fixture_check_trace(
        f, "logs {\"id\":\"last\",\"stream\":\"out\",\"tail\":5,\"follow\":true}\n");
}

static void serve_status(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    if (bytes_equal(m->method, "task")) {
        fake_task(f, "sleep", "ok", NULL, NULL, 0);
        return;
    }
    pack_map(&f->out, 2);
    pack_text(&f->out, "tasks");
    pack_array(&f->out, 1);
    fake_task(f, "exec", "ok", NULL, NULL, 0);
    pack_text(&f->out, "next");
    if (map_get(m->params, "from"))
        pack_nil(&f->out);
    else
        pack_uint(&f->out, 7);
}

static void test_status_requests(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "status|-g|g|-oid", serve_status), 0);
    fixture_check(f, "7\n", ""); /* all three answers hold the same task: it is shown once */
    fixture_check_trace(
        f,
        "status "
        "{\"states\":[\"RUNNING\",\"SUSPENDED\"],\"group\":\"g\",\"order\":\"asc\",\"limit\":"
        "500}\n"
        "status {\"states\":[\"PENDING\"],\"group\":\"g\",\"order\":\"asc\",\"limit\":1000}\n"
        "status {\"states\":[\"DONE\"],\"group\":\"g\",\"order\":\"desc\",\"limit\":20}\n");
}

static void test_status_pages(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "ps|--all|-s|done|-oid", serve_status), 0);
    fixture_check(f, "7\n7\n", "");
    fixture_check_trace(
        f, "status {\"states\":[\"DONE\"],\"order\":\"desc\",\"limit\":500}\n"
           "status {\"states\":[\"DONE\"],\"order\":\"desc\",\"from\":7,\"limit\":500}\n");
}

static void test_status_one(void **state)
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

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_submit),         WITH_FIXTURE(test_submit_json),
        WITH_FIXTURE(test_submit_refused), WITH_FIXTURE(test_submit_nobody_reads),
        WITH_FIXTURE(test_unreachable),    WITH_FIXTURE(test_usage),
        WITH_FIXTURE(test_version),        WITH_FIXTURE(test_await_results),
        WITH_FIXTURE(test_await_failures), WITH_FIXTURE(test_await_errors),
        WITH_FIXTURE(test_wait),           WITH_FIXTURE(test_cancel_and_rm),
        WITH_FIXTURE(test_logs),           WITH_FIXTURE(test_status_requests),
        WITH_FIXTURE(test_status_pages),   WITH_FIXTURE(test_status_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
