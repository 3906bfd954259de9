/* SPDX-License-Identifier: MIT */
/*
 * aioctl run over a restart of the event loop, against a fake daemon that closes connections.
 */
#include <signal.h>
#include <string.h>

#include "fixture.h"
#include "proto/pack.h"

static void serve_submit(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    pack_map(&f->out, 1);
    pack_text(&f->out, "id");
    pack_uint(&f->out, 7);
}

static void answer_logs(struct fake *f, uint32_t msgid)
{
    rpc_write_result(&f->out, msgid);
    pack_map(&f->out, 0);
}

/* On the first connection stdout ends and stderr has begun; on the second the rest comes. */
static void serve_run(struct fake *f, const struct rpc_message *m)
{
    if (bytes_equal(m->method, "submit"))
        serve_submit(f, m);
    if (!bytes_equal(m->method, "await"))
        return;
    if (f->requests == 4) {
        fake_logs(f, m->msgid - 2, "out", "to stdout\n");
        fake_logs(f, m->msgid - 1, "err", "to ");
        f->closing = true;
        return;
    }
    fake_logs(f, m->msgid - 1, "err", "stderr\n");
    answer_logs(f, m->msgid - 1);
    answer_logs(f, m->msgid - 2);
    fake_answer_task(f, m);
}

static void test_run_again(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "60s";
    assert_int_equal(fixture_run(f, "run|make", serve_run), 0);
    fixture_check_out(f, "to stdout\n");
    fixture_check_said(f, "to aioctl: run: the event loop at ", " is back\nstderr\n");
    assert_non_null(strstr(buf_cstr(&f->fake.trace),
                           "logs {\"id\":7,\"stream\":\"out\",\"offset\":10,\"follow\":true}\n"
                           "logs {\"id\":7,\"stream\":\"err\",\"offset\":3,\"follow\":true}\n"
                           "await {\"id\":7}\n"));
}

static void test_run_left_open(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "1h";
    assert_int_equal(fixture_run(f, "run|make", fake_close), 125);
    fixture_check_said(
        f, "aioctl: run: the event loop at ",
        " went away before it answered: the task may or may not have been accepted");
    assert_int_equal(f->fake.requests, 1);
}

static void serve_submit_and_be_deaf(struct fake *f, const struct rpc_message *m)
{
    if (bytes_equal(m->method, "submit"))
        serve_submit(f, m);
    else
        fake_close_for_good(f, m);
}

static void test_run_never_back(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "100ms";
    assert_int_equal(fixture_run(f, "run|--call|f", serve_submit_and_be_deaf), 125);
    fixture_check_said(f, "did not come back within 100ms",
                       "aioctl: run: task 7 goes on: aioctl logs -f 7\n");
}

/* Ctrl-C while the event loop is away: once, and each time. */
static bool hello_interrupts(struct fake *f)
{
    struct fixture *fixture = f->arg;
    (void)kill(fixture->pid, SIGINT);
    return false;
}

static bool hello_interrupts_once(struct fake *f)
{
    f->hello = NULL;
    return hello_interrupts(f);
}

static bool hello_hangs_up(struct fake *f)
{
    struct fixture *fixture = f->arg;
    (void)kill(fixture->pid, SIGHUP);
    return false;
}

/* The cancellation comes behind `await`. */
static void serve_interrupt_away(struct fake *f, const struct rpc_message *m)
{
    struct fixture *fixture = f->arg;
    if (bytes_equal(m->method, "submit"))
        serve_submit(f, m);
    if (bytes_equal(m->method, "await") && f->requests == 2) {
        f->hello = fixture->arg;
        f->closing = true;
    }
    if (!bytes_equal(m->method, "cancel"))
        return;
    rpc_write_result(&f->out, m->msgid - 1);
    fake_task(f, "sleep", "cancelled", NULL, NULL, 0);
}

static void test_run_interrupted_away(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "1h";
    f->arg = hello_interrupts_once;
    assert_int_equal(fixture_run(f, "run|--call|f", serve_interrupt_away), 128 + SIGINT);
    fixture_check_said(
        f, "cancelling task 7 as soon as the event loop is back; once more leaves it\n",
        " is back\n");
    fixture_check_trace(f, "submit {\"function\":\"f\",\"args\":[]}\n"
                           "await {\"id\":7}\nawait {\"id\":7}\n"
                           "cancel {\"ids\":[7],\"kill\":false}\n");
}

static void test_run_left_while_away(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "1h";
    f->arg = hello_interrupts;
    assert_int_equal(fixture_run(f, "run|--call|f", serve_interrupt_away), 128 + SIGINT);
    fixture_check_said(f, "once more leaves it\n", "task 7 goes on: aioctl logs -f 7\n");
    assert_int_equal(f->fake.requests, 2);
}

static void test_run_hung_up_while_away(void **state)
{
    struct fixture *f = *state;
    f->reconnect = "1h";
    f->arg = hello_hangs_up;
    assert_int_equal(fixture_run(f, "run|--call|f", serve_interrupt_away), 128 + SIGHUP);
    fixture_check_said(f, "went away", "task 7 goes on: aioctl logs -f 7\n");
    assert_int_equal(f->fake.requests, 2);
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_run_again),           WITH_FIXTURE(test_run_left_open),
        WITH_FIXTURE(test_run_never_back),      WITH_FIXTURE(test_run_interrupted_away),
        WITH_FIXTURE(test_run_left_while_away), WITH_FIXTURE(test_run_hung_up_while_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
