/* SPDX-License-Identifier: MIT */
/*
 * Whole commands, in a process of their own, against a fake daemon behind a socket whose path
 * is longer than sun_path: what submit asks, what it prints where, how it exits.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

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

/* An event loop that loads its tasks, or that somebody holds: silence is no answer. */
static bool hello_when_asked_for(struct fake *f)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    while (!strstr(fixture_said(f->arg), "has not answered yet; still waiting\n"))
        (void)nanosleep(&moment, NULL);
    return true;
}

static void test_silence(void **state)
{
    struct fixture *f = *state;
    f->fake.hello = hello_when_asked_for;
    assert_int_equal(fixture_run(f, "submit|--call|f", serve_submit), 0);
    fixture_check_out(f, "7\n");
}

static void test_unreachable(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "health|--socket|/nowhere/s", NULL), 4);
    fixture_check(f, "",
                  "aioctl: health: no running event loop at /nowhere/s: start it with `aiod "
                  "--runtime-dir /nowhere`\n");
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

/* Nobody knows whether there is a task now, so nothing is tried again. */
static void test_submit_left_open(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "10s";
    assert_int_equal(fixture_run(f, "submit|--call|f", fake_close), 4);
    assert_non_null(strstr(fixture_said(f), "went away before it answered: the task may or may "
                                            "not have been accepted"));
    assert_int_equal(f->fake.requests, 1);
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_submit),           WITH_FIXTURE(test_submit_json),
        WITH_FIXTURE(test_submit_refused),   WITH_FIXTURE(test_submit_nobody_reads),
        WITH_FIXTURE(test_submit_left_open), WITH_FIXTURE(test_silence),
        WITH_FIXTURE(test_unreachable),      WITH_FIXTURE(test_usage),
        WITH_FIXTURE(test_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
