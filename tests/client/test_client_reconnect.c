/* SPDX-License-Identifier: MIT */
/*
 * Commands that outlast the event loop, against a fake daemon that closes connections: what is
 * asked again, what is not, and when it is given up.
 */
#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "proto/pack.h"

/* Closes, says that it stops, answers. */
static void serve_second_and_third(struct fake *f, const struct rpc_message *m)
{
    if (f->requests == 1)
        f->closing = true;
    else if (f->requests == 2)
        fake_error(f, m->msgid, -ESHUTDOWN, "the daemon is stopping");
    else
        fake_answer_task(f, m);
}

static void test_await_again(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "60s";
    assert_int_equal(fixture_run(f, "await|7", serve_second_and_third), 0);
    fixture_check_said(f, "went away; waiting up to 1m00s for it\n", " is back\n");
    fixture_check_trace(f, "await {\"id\":7}\nawait {\"id\":7}\nawait {\"id\":7}\n");
}

/* The time goes on over the break. */
static void serve_remaining(struct fake *f, const struct rpc_message *m)
{
    static double before;
    double timeout = map_number(m->params, "timeout", 0);
    if (f->requests == 1)
        f->closing = true;
    else if (timeout > 0 && timeout < before)
        fake_answer_task(f, m);
    else
        fake_error(f, m->msgid, -EINVAL, "the timeout began anew");
    before = timeout;
}

static void test_timeout_goes_on(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "60s";
    assert_int_equal(fixture_run(f, "await|7|-t|1h", serve_remaining), 0);
    assert_int_equal(f->fake.requests, 2);
}

/* Somebody accepts connections (systemd does), and hello is never answered. */
static void test_never_back(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "200ms";
    assert_int_equal(fixture_run(f, "await|7", fake_close_for_good), 4);
    fixture_check_said(f, "waiting up to 200ms for it\n",
                       "did not come back within 200ms: what it had accepted is not lost");
    assert_null(strstr(fixture_said(f), "is back"));
    assert_int_equal(f->fake.requests, 1);
}

/* --timeout ends the wait for the event loop too, and is what is said. */
static void test_timeout_while_away(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "1h";
    assert_int_equal(fixture_run(f, "await|7|-t|100ms", fake_close_for_good), 124);
    fixture_check_said(f, "went away", "task 7 is not done after 0.1 s\n");
    f->fake.hello = NULL;
    assert_int_equal(fixture_run(f, "wait|7|8|9|-t|100ms", fake_close_for_good), 124);
    fixture_check_said(f, "went away", "3 of 3 tasks are not done after 0.1 s\n");
}

static void serve_break(struct fake *f, const struct rpc_message *m)
{
    if (f->requests == 1)
        f->closing = true;
    else
        fake_answer_task(f, m);
    f->instance = "another";
}

/* The same socket, another state: the ids mean other tasks there. */
static void test_another_instance(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "1h";
    f->fake.instance = "one";
    assert_int_equal(fixture_run(f, "await|7", serve_break), 4);
    fixture_check_said(f, "went away", "another event loop answers at ");
    assert_int_equal(f->fake.requests, 1);
}

static void serve_break_then_fail(struct fake *f, const struct rpc_message *m)
{
    if (f->requests == 1)
        f->closing = true;
    else
        fake_error(f, m->msgid, -ENOENT, "there is no task 7");
}

/* An error of the daemon's is its answer. */
static void test_real_error(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "1h";
    assert_int_equal(fixture_run(f, "await|7", serve_break_then_fail), 3);
    fixture_check_said(f, " is back\n", "there is no task 7\n");
    assert_int_equal(f->fake.requests, 2);
}

static void test_reconnect_knob(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "0";
    assert_int_equal(fixture_run(f, "await|7", fake_close), 4);
    assert_null(strstr(fixture_said(f), "waiting"));
    f->reconnect = "soon";
    f->fake.requests = 0;
    assert_int_equal(fixture_run(f, "await|7", serve_break_then_fail), 3);
    fixture_check_said(f, "AIOD_RECONNECT: \"soon\" is no duration, such as 10s or 5m\n",
                       "waiting up to 30s for it\n");
}

/* Those that only ask once end with the connection. */
static void test_others_do_not_wait(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "1h";
    assert_int_equal(fixture_run(f, "result|7", fake_close), 4);
    assert_int_equal(fixture_run(f, "logs|7", fake_close), 4);
    assert_int_equal(fixture_run(f, "cancel|7", fake_close), 4);
    assert_int_equal(f->fake.requests, 3);
}

/* ---- logs -f ---- */

/* Half of the output, then nothing; the other half from there. */
static void serve_halves(struct fake *f, const struct rpc_message *m)
{
    uint64_t offset = map_uint(m->params, "offset", 0);
    if (!map_bool(m->params, "follow", false)) {
        fake_logs(f, m->msgid, "out", "one\n");
        rpc_write_result(&f->out, m->msgid);
        pack_map(&f->out, 2);
        pack_text(&f->out, "offset");
        pack_uint(&f->out, 4);
        pack_text(&f->out, "attempt");
        pack_uint(&f->out, 3);
        return;
    }
    fake_logs(f, m->msgid, "out", offset == 4 ? "two\n" : "three\n");
    if (offset == 4)
        f->closing = true;
    else
        fake_answer_task(f, m);
}

static void test_logs_again(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "60s";
    assert_int_equal(fixture_run(f, "logs|-f|7", serve_halves), 0);
    fixture_check_said(f, "went away", " is back\n");
    fixture_check_out(f, "one\ntwo\nthree\n");
    fixture_check_trace(
        f, "logs {\"id\":7,\"stream\":\"out\"}\n"
           "logs {\"id\":7,\"stream\":\"out\",\"offset\":4,\"attempt\":3,\"follow\":true}\n"
           "logs {\"id\":7,\"stream\":\"out\",\"offset\":8,\"attempt\":3,\"follow\":true}\n");
}

/* ---- wait ---- */

/* The first answer leaves a rest, whose answer never comes; then it does. */
static void serve_rest(struct fake *f, const struct rpc_message *m)
{
    if (f->requests == 2) {
        f->closing = true;
        return;
    }
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 2);
    pack_text(&f->out, "done");
    pack_array(&f->out, 1);
    fake_task(f, "exec", "ok", NULL, NULL, 0);
    pack_text(&f->out, "rest");
    pack_array(&f->out, f->requests == 1 ? 2 : 0);
    if (f->requests == 1) {
        pack_uint(&f->out, 8);
        pack_uint(&f->out, 9);
    }
}

static void test_wait_again(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "60s";
    assert_int_equal(fixture_run(f, "wait|--first|7-9", serve_rest), 0);
    fixture_check_out(f, "7 ok a title\n7 ok a title\n");
    fixture_check_trace(f, "wait {\"mode\":\"first\",\"ids\":[\"7-9\"]}\n"
                           "wait {\"mode\":\"all\",\"ids\":[\"8-9\"]}\n"
                           "wait {\"mode\":\"all\",\"ids\":[\"8-9\"]}\n");
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_await_again),      WITH_FIXTURE(test_timeout_goes_on),
        WITH_FIXTURE(test_never_back),       WITH_FIXTURE(test_timeout_while_away),
        WITH_FIXTURE(test_another_instance), WITH_FIXTURE(test_real_error),
        WITH_FIXTURE(test_reconnect_knob),   WITH_FIXTURE(test_others_do_not_wait),
        WITH_FIXTURE(test_logs_again),       WITH_FIXTURE(test_wait_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
