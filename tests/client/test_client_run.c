/* SPDX-License-Identifier: MIT */
/*
 * aioctl run against a fake daemon: both streams, the task's status, signals, a reader that
 * goes away.
 */
#include <errno.h>
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

static void serve_limit(struct fake *f, const struct rpc_message *m)
{
    fake_error(f, m->msgid, -EDQUOT, "100000 tasks are queued:\n wait");
}

/* Answers logs and await together, once the last of them has come. */
static void serve_run(struct fake *f, const struct rpc_message *m, const char *type,
                      const char *key, int number)
{
    if (bytes_equal(m->method, "submit"))
        serve_submit(f, m);
    if (!bytes_equal(m->method, "await"))
        return;
    fake_logs(f, m->msgid - 2, "out", "to stdout\n");
    fake_logs(f, m->msgid - 1, "err", "to stderr\n");
    rpc_write_result(&f->out, m->msgid);
    fake_task(f, "exec", type ? "failed" : "ok", type, key, number);
    fake_logs(f, m->msgid - 2, "out", "and more\n");
    for (uint32_t i = 2; i > 0; i--) {
        rpc_write_result(&f->out, m->msgid - i);
        pack_map(&f->out, 0);
    }
}

static void serve_run_ok(struct fake *f, const struct rpc_message *m)
{
    serve_run(f, m, NULL, NULL, 0);
}

static void serve_run_exit(struct fake *f, const struct rpc_message *m)
{
    serve_run(f, m, "ExitStatus", "exit", 3);
}

static void serve_run_signal(struct fake *f, const struct rpc_message *m)
{
    serve_run(f, m, "Signal", "signal", 9);
}

static void serve_run_missing(struct fake *f, const struct rpc_message *m)
{
    serve_run(f, m, "OSError", "exit", 127);
}

static void test_run(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "run|make|-j4", serve_run_ok), 0);
    fixture_check(f, "to stdout\nand more\n", "to stderr\n");
    assert_non_null(strstr(buf_cstr(&f->fake.trace), "\"argv\":[\"make\",\"-j4\"]"));
    assert_non_null(strstr(buf_cstr(&f->fake.trace), "\"split\":true"));
    assert_non_null(strstr(buf_cstr(&f->fake.trace),
                           "logs {\"id\":7,\"stream\":\"out\",\"follow\":true}\n"
                           "logs {\"id\":7,\"stream\":\"err\",\"follow\":true}\n"
                           "await {\"id\":7}\n"));
}

static void test_run_statuses(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "run|make", serve_run_exit), 3);
    assert_int_equal(fixture_run(f, "run|make", serve_run_signal), 137);
    assert_int_equal(fixture_run(f, "run|make", serve_limit), 125);
    assert_int_equal(fixture_run(f, "run|make", fake_close), 125);
}

static void test_run_not_found(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "run|nope", serve_run_missing), 127);
    fixture_check(f, "to stdout\nand more\n", "to stderr\naioctl: run: it broke\n");
}

static void serve_call(struct fake *f, const struct rpc_message *m)
{
    if (bytes_equal(m->method, "submit")) {
        serve_submit(f, m);
        return;
    }
    rpc_write_result(&f->out, m->msgid);
    fake_task(f, "f", "failed", "ValueError", "-", 0);
}

static void test_run_call(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "run|--call|f", serve_call), 1);
    fixture_check(f, "", "aioctl: run: it broke\n");
    fixture_check_trace(f, "submit {\"function\":\"f\",\"args\":[]}\nawait {\"id\":7}\n");
}

/* Ctrl-C when await has come; the first cancel is answered by a second Ctrl-C, the second ends
 * it. */
static void serve_interrupt(struct fake *f, const struct rpc_message *m)
{
    struct fixture *fixture = f->arg;
    if (bytes_equal(m->method, "submit"))
        serve_submit(f, m);
    if (bytes_equal(m->method, "await"))
        (void)kill(fixture->pid, SIGINT);
    if (!bytes_equal(m->method, "cancel"))
        return;
    bool killed = map_bool(m->params, "kill", false);
    rpc_write_result(&f->out, m->msgid);
    pack_array(&f->out, 0);
    if (!killed) {
        (void)kill(fixture->pid, SIGTERM);
        return;
    }
    rpc_write_result(&f->out, 5); /* after hello, submit and two logs */
    fake_task(f, "exec", "cancelled", NULL, NULL, 0);
    for (uint32_t i = 3; i <= 4; i++)
        fake_error(f, i, -ENOENT, "there is no output");
}

static void test_run_interrupted(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "run|make", serve_interrupt), 128 + SIGINT);
    fixture_check(f, "", "aioctl: run: cancelling task 7\naioctl: run: killing task 7\n");
    assert_non_null(strstr(buf_cstr(&f->fake.trace),
                           "await {\"id\":7}\ncancel {\"ids\":[7],\"kill\":false}\n"
                           "cancel {\"ids\":[7],\"kill\":true}\n"));
}

static void serve_hangup(struct fake *f, const struct rpc_message *m)
{
    struct fixture *fixture = f->arg;
    if (bytes_equal(m->method, "submit"))
        serve_submit(f, m);
    if (bytes_equal(m->method, "await"))
        (void)kill(fixture->pid, SIGHUP);
}

static void test_run_detached(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "run|make", serve_hangup), 128 + SIGHUP);
    fixture_check(f, "", "aioctl: run: task 7 goes on: aioctl logs -f 7\n");
    assert_null(strstr(buf_cstr(&f->fake.trace), "cancel"));
}

/* Before the id is known: the first is kept, the second leaves. */
static void serve_interrupt_early(struct fake *f, const struct rpc_message *m)
{
    struct fixture *fixture = f->arg;
    (void)kill(fixture->pid, SIGINT);
    if (bytes_equal(m->method, "submit"))
        return; /* the second comes with hello, below */
}

static bool hello_and_interrupt(struct fake *f)
{
    struct fixture *fixture = f->arg;
    (void)kill(fixture->pid, SIGTERM);
    return true;
}

static void test_run_left_early(void **state)
{
    struct fixture *f = *state;
    f->fake.hello = hello_and_interrupt;
    int status = fixture_run(f, "run|make", serve_interrupt_early);
    assert_true(status == 128 + SIGINT || status == 128 + SIGTERM);
    fixture_check(f, "",
                  "aioctl: run: left before the task's id was known: it may or may not have "
                  "been accepted, `aioctl status` tells\n");
}

static void test_run_takes_no_format(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "run|-ojson|make", NULL), 125);
    fixture_check(f, "", "aioctl: run: there is no option -o: aioctl help run\n");
}

/* The output goes nowhere: the task is cancelled, and its end awaited. */
static void serve_pipe(struct fake *f, const struct rpc_message *m)
{
    if (bytes_equal(m->method, "submit"))
        serve_submit(f, m);
    if (bytes_equal(m->method, "await"))
        fake_logs(f, m->msgid - 2, "out", "x");
    if (!bytes_equal(m->method, "cancel"))
        return;
    rpc_write_result(&f->out, 5);
    fake_task(f, "exec", "cancelled", NULL, NULL, 0);
    for (uint32_t i = 3; i <= 4; i++) {
        rpc_write_result(&f->out, i);
        pack_nil(&f->out);
    }
}

static void test_run_nobody_reads(void **state)
{
    struct fixture *f = *state;
    f->pipe_gone = true;
    assert_int_equal(fixture_run(f, "run|make", serve_pipe), 128 + SIGTERM);
    fixture_check(f, "", "");
    assert_non_null(strstr(buf_cstr(&f->fake.trace), "cancel {\"ids\":[7],\"kill\":false}\n"));
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_run),
        WITH_FIXTURE(test_run_statuses),
        WITH_FIXTURE(test_run_not_found),
        WITH_FIXTURE(test_run_call),
        WITH_FIXTURE(test_run_interrupted),
        WITH_FIXTURE(test_run_detached),
        WITH_FIXTURE(test_run_left_early),
        WITH_FIXTURE(test_run_takes_no_format),
        WITH_FIXTURE(test_run_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
