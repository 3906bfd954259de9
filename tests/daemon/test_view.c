/* SPDX-License-Identifier: MIT */
/*
 * A task as the protocol shows it: the whole map of live and finished ones, in every state, and
 * in detail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/tasks/function.h"
#include "daemon/tasks/group.h"
#include "daemon/tasks/line.h"
#include "daemon/tasks/tasks.h"
#include "daemon/tasks/view.h"
#include "tests/daemon/notation.h"
#include "tests/support/actor.h"

/* 2023-11-14T22:13:20.123Z and the seconds behind it. */
#define AT(seconds) (UINT64_C(1700000000123456789) + (seconds)*NSEC_PER_SEC)

static const struct function some_function = {.name = "exec"};

struct fixture {
    struct fake_loop loop;
    struct groups groups;
    struct watchers watchers;
    struct user user;
    struct task *t;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.user = {.uid = 1000}};
    fake_loop_init(&f.loop);
    watchers_init(&f.watchers);
    groups_init(&f.groups, &f.loop.sched, &f.watchers, 4);
    f.t = task_new(NULL, 7, NULL, "ls -l");
    if (!f.t)
        return -1;
    f.t->function = &some_function;
    f.t->group = groups_set(&f.groups, "default", 1);
    f.t->user = &f.user;
    f.t->uid = 1000;
    f.t->submitted_ns = AT(0);
    f.t->since_ns = AT(0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    line_leave(f->t);
    task_free(f->t);
    groups_done(&f->groups);
    fake_loop_done(&f->loop);
    return 0;
}

static void assert_buf(struct buf *b, const char *expected)
{
    struct value *value = pack_take(b);
    assert_value(value, expected);
    value_unref(value);
}

static void assert_live(struct task *t, const char *expected)
{
    struct buf b = BUF_INIT;
    view_live(&b, t);
    assert_buf(&b, expected);
}

static void assert_finished(const struct store_task *row, const char *expected)
{
    struct buf b = BUF_INIT;
    view_finished(&b, row);
    assert_buf(&b, expected);
}

#define HEAD           "'id': 7, 'function': 'exec', 'title': 'ls -l', 'group': 'default', 'uid': 1000, "
#define LIVE(state)    "'state': '" state "', 'done': false, 'cancelled': false, "
#define TIME(s)        "'2023-11-14T22:13:" s ".123Z'"
#define SUBMITTED(now) "'since': " TIME(now) ", 'submitted': " TIME("20")

/* ---- live ---- */

static void test_pending(void **state)
{
    struct fixture *f = *state;
    assert_live(f->t, "{" HEAD LIVE("PENDING") SUBMITTED("20") "}");
    f->t->awaits = AWAITS_STORE;
    assert_live(f->t,
                "{" HEAD LIVE("PENDING") SUBMITTED("20") ", 'awaits': {'kind': 'store'}}");
    f->t->awaits = AWAITS_SPAWNER;
    assert_live(f->t,
                "{" HEAD LIVE("PENDING") SUBMITTED("20") ", 'awaits': {'kind': 'spawner'}}");
    f->t->awaits = AWAITS_TIMER;
    f->t->until_ns = AT(10);
    assert_live(f->t, "{" HEAD LIVE("PENDING") SUBMITTED(
                          "20") ", 'awaits': {'kind': 'timer', 'until': " TIME("30") "}}");
}

static void test_in_line(void **state)
{
    struct fixture *f = *state;
    struct task *before = task_new(NULL, 6, NULL, "");
    assert_non_null(before);
    f->t->awaits = AWAITS_SLOT;
    assert_live(f->t, "{" HEAD LIVE("PENDING")
                          SUBMITTED("20") ", 'awaits': {'kind': 'slot', 'group': 'default'}}");
    before->group = f->t->group;
    before->user = &f->user;
    aio_co_free(line_await_place(before));
    aio_co_free(line_await_place(f->t));
    assert_live(f->t,
                "{" HEAD LIVE("PENDING") SUBMITTED(
                    "20") ", 'awaits': {'kind': 'slot', 'group': 'default', 'position': 2}}");
    f->t->group->paused = true;
    assert_live(f->t, "{" HEAD LIVE("PENDING") SUBMITTED(
                          "20") ", 'awaits': {'kind': 'slot', 'group': 'default', 'position': "
                                "2, 'paused': true}}");
    line_leave(before);
    task_free(before);
}

static void test_running(void **state)
{
    struct fixture *f = *state;
    f->t->state = TASK_RUNNING;
    f->t->awaits = AWAITS_PROCESS;
    f->t->since_ns = AT(2);
    f->t->started_ns = AT(2);
    f->t->attempt = 1;
    f->t->pid = 4312;
    f->t->cancel_ns = AT(3);
    f->t->cancel_uid = 0;
    assert_live(f->t, "{" HEAD LIVE("RUNNING") SUBMITTED("22") ", 'started': " TIME(
                          "22") ", 'awaits': {'kind': 'process', 'pid': 4312}, 'attempt': 1, "
                                "'pid': 4312, 'cancel': {'at': " TIME("23") ", 'uid': 0}}");
}

/* A name; bytes in a title; the cost of its life so far and the step that comes next. */
static void test_with_name_and_life(void **state)
{
    struct fixture *f = *state;
    struct task *t = task_new(NULL, 8, "nightly", "ls \xff");
    assert_non_null(t);
    t->function = &some_function;
    t->group = f->t->group;
    t->uid = 4294967294u;
    t->state = TASK_SUSPENDED;
    struct aio_future *future = aio_future_new(&f->loop.sched);
    t->life = aio_task_ref(actor_start(&f->loop, "life", STEP(actor_wait), future));
    fake_loop_run(&f->loop);
    t->life->stats.longest_ns = 21999;
    t->life->stats.run_ns = 1234567;
    assert_live(t, "{'id': 8, 'name': 'nightly', 'function': 'exec', 'title': 'b:ls \xff', "
                   "'group': 'default', 'uid': 4294967294, " LIVE(
                       "SUSPENDED") "'loop': {'steps': 1, 'longest_us': 21, 'run_us': 1234, "
                                    "'step': 'actor_waited'}}");
    aio_future_set_result(future, NULL);
    fake_loop_run(&f->loop);
    aio_future_unref(future);
    task_free(t);
}

/* ---- finished ---- */

static struct store_task some_row(void)
{
    return (struct store_task){
        .id = 7,
        .uid = 1000,
        .submitted_ns = AT(0),
        .function = (char *)"exec",
        .group = (char *)"default",
        .title = (char *)"ls -l",
        .attempt = 1,
        .attempt_spawner = {1},
        .attempt_ns = AT(1),
        .started_ns = AT(2),
        .pid = 4312,
        .outcome = STORE_OK,
        .ended_ns = AT(9),
    };
}

#define DONE(outcome, cancelled)                                                               \
    "'state': 'DONE', 'outcome': '" outcome "', 'done': true, 'cancelled': " cancelled ", "
#define ENDED                                                                                  \
    SUBMITTED("29")                                                                            \
    ", 'started': " TIME("22") ", 'ended': " TIME("29") ", 'attempt': 1, 'pid': 4312"

static void test_ok(void **state)
{
    struct store_task row = some_row();
    (void)state;
    assert_finished(&row, "{" HEAD DONE("ok", "false") ENDED "}");
    row.result = notation_value("0");
    row.usage = notation_value("{'steps': 4}");
    assert_finished(&row,
                    "{" HEAD DONE("ok", "false") ENDED ", 'result': 0, 'usage': {'steps': 4}}");
    value_unref(row.result);
    value_unref(row.usage);
}

static void test_failed(void **state)
{
    struct store_task row = some_row();
    (void)state;
    row.outcome = STORE_FAILED;
    row.name = (char *)"nightly";
    row.result = view_error("ExitStatus", "exit 1: no", 1, -1);
    assert_finished(&row, "{'id': 7, 'name': 'nightly', 'function': 'exec', 'title': 'ls -l', "
                          "'group': 'default', 'uid': 1000, " DONE("failed", "false") ENDED
                    ", 'error': {'type': 'ExitStatus', 'message': 'exit 1: no', "
                    "'exit': 1}}");
    value_unref(row.result);
}

static void test_cancelled(void **state)
{
    struct store_task row = some_row();
    (void)state;
    row.outcome = STORE_CANCELLED;
    row.attempt = 0;
    row.attempt_ns = 0;
    row.started_ns = 0;
    row.pid = 0;
    row.cancel_ns = AT(8);
    row.cancel_uid = 4;
    assert_finished(&row, "{" HEAD DONE("cancelled", "true") SUBMITTED("29") ", 'ended': " TIME(
                              "29") ", 'cancel': {'at': " TIME("28") ", 'uid': 4}}");
}

/* What needs no process starts with its attempt; a command that was never started did not. */
static void test_started(void **state)
{
    struct store_task row = some_row();
    (void)state;
    row.started_ns = 0;
    row.pid = 0;
    assert_finished(&row, "{" HEAD DONE("ok", "false")
                              SUBMITTED("29") ", 'ended': " TIME("29") ", 'attempt': 1}");
    memset(row.attempt_spawner, 0, sizeof(row.attempt_spawner));
    assert_finished(&row, "{" HEAD DONE("ok", "false") SUBMITTED("29") ", 'started': " TIME(
                              "21") ", 'ended': " TIME("29") ", 'attempt': 1}");
}

/* ---- errors ---- */

static void assert_error(const char *message, int exit, int signal, const char *expected)
{
    struct value *error = view_error("E", message, exit, signal);
    assert_value(error, expected);
    value_unref(error);
}

static void test_errors(void **state)
{
    (void)state;
    assert_error("m", -1, -1, "{'type': 'E', 'message': 'm'}");
    assert_error("m", 0, -1, "{'type': 'E', 'message': 'm', 'exit': 0}");
    assert_error("m", -1, 9, "{'type': 'E', 'message': 'm', 'signal': 9}");
    /* a command may say anything: a sentence is a text all the same */
    assert_error("exit 1: \xc3\xa4 \xff\xfe", 1, -1,
                 "{'type': 'E', 'message': 'exit 1: \xc3\xa4 ?"
                 "?', 'exit': 1}");
}

/* ---- in detail ---- */

static void more_keys(struct buf *b, struct pack_map_place *map, void *ctx)
{
    pack_key(b, map, "more");
    pack_text(b, ctx);
}

static void test_detail(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    struct store_task row = some_row();
    row.args = notation_value("{'argv': ['ls', '-l']}");
    row.env = notation_value("['A=1', 'B=2', 'C=']");
    row.client_pid = 99;
    row.due_wall_ns = AT(5);
    view_detail(&b, &row, NULL, false, NULL, NULL);
    assert_buf(&b, "{" HEAD DONE("ok", "false") ENDED
               ", 'args': {'argv': ['ls', '-l']}, 'env_count': 3, 'client_pid': 99, "
               "'due': " TIME("25") "}");
    view_detail(&b, &row, f->t, true, more_keys, (void *)"and more");
    assert_buf(&b, "{" HEAD LIVE("PENDING") SUBMITTED(
                       "20") ", 'args': {'argv': ['ls', '-l']}, 'env_count': 3, "
                             "'env': ['A=1', 'B=2', 'C='], 'client_pid': 99, 'due': " TIME(
                                 "25") ", 'more': 'and more'}");
    value_unref(row.env);
    row.env = NULL;
    row.due_wall_ns = 0;
    row.client_pid = 0;
    view_detail(&b, &row, NULL, true, NULL, NULL);
    assert_buf(&b, "{" HEAD DONE("ok", "false") ENDED ", 'args': {'argv': ['ls', '-l']}}");
    value_unref(row.args);
}

/* ---- words ---- */

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(task_state_name(TASK_PENDING), "PENDING");
    assert_string_equal(task_state_name(TASK_RUNNING), "RUNNING");
    assert_string_equal(task_state_name(TASK_SUSPENDED), "SUSPENDED");
    assert_string_equal(task_state_name(TASK_DONE), "DONE");
    assert_null(task_awaits_name(AWAITS_NOTHING));
    assert_null(task_outcome_name(STORE_LIVE));
}

static void test_retries(void **state)
{
    struct fixture *f = *state;
    struct store_task row = {.id = 7,
                             .uid = 1000,
                             .submitted_ns = AT(0),
                             .ended_ns = AT(1),
                             .function = (char *)"exec",
                             .group = (char *)"default",
                             .title = (char *)"ls -l",
                             .attempt_spawner = {1},
                             .attempt = 1,
                             .outcome = STORE_OK};
#define RETRIED                                                                                \
    "{" HEAD "'state': 'DONE', 'outcome': 'ok', 'done': true, 'cancelled': false, " SUBMITTED( \
        "21") ", 'ended': " TIME("21") ", 'attempt': 1"
    assert_finished(&row, RETRIED "}");
    row.retried_as = 9;
    assert_finished(&row, RETRIED ", 'retried_as': 9}");
    row.retry_of = 3;
    assert_finished(&row, RETRIED ", 'retry_of': 3, 'retried_as': 9}");
    f->t->retry_of = 3;
    assert_live(f->t, "{" HEAD LIVE("PENDING") SUBMITTED("20") ", 'retry_of': 3}");
}

static void assert_group(const struct group *group, bool gone, const char *expected)
{
    struct buf b = BUF_INIT;
    view_group(&b, group, gone);
    assert_buf(&b, expected);
}

static void test_group(void **state)
{
    struct fixture *f = *state;
    struct group *group = f->t->group;
    assert_group(group, false,
                 "{'name': 'default', 'slots': 1, 'held': 0, 'waiting': 0, 'paused': false, "
                 "'from': 'file'}");
    group->slots_held = 2;
    group->waiting = 3;
    group->paused = true;
    group->file_slots = 0;
    group->set_slots = 9;
    groups_sweep(&f->groups);
    assert_group(group, true,
                 "{'name': 'default', 'slots': 9, 'held': 2, 'waiting': 3, 'paused': true, "
                 "'from': 'command', 'removed': true}");
    group->waiting = 0;
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pending), TEST(test_in_line), TEST(test_retries),
        TEST(test_group),   TEST(test_running), TEST(test_with_name_and_life),
        TEST(test_ok),      TEST(test_failed),  TEST(test_cancelled),
        TEST(test_started), TEST(test_errors),  TEST(test_detail),
        TEST(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
