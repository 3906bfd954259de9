/* SPDX-License-Identifier: MIT */
/*
 * Attempts as the spawner tells of them, against a spawner that says what the test wants: the
 * connection, the start, the end, signals. test_processes_list has what LIST settles.
 */
#include "tests/daemon/processes_fixture.h"

/* ---- the connection ---- */

static void test_connect(void **state)
{
    struct fixture *f = *state;
    struct process *p = add(f, 1, PROCESS_UNSENT);
    struct aio_future *changed = process_await(p);
    assert_false(process_connected(p));
    hello(f, &f->spawner);
    assert_memory_equal(f->ps.spawner, f->spawner.id, sizeof(f->ps.spawner));
    assert_int_equal(f->ps.spawner_pid, 4711);
    assert_int_equal(f->ps.spawner_uid, 1000);
    assert_int_equal(f->lives, 0);
    assert_false(process_connected(p));
    assert_false(aio_future_is_done(changed));
    list_end(f, &f->spawner);
    assert_int_equal(f->lives, 1);
    assert_true(process_connected(p));
    assert_true(aio_future_is_done(changed)); /* it may be started now */
    assert_int_equal(p->state, PROCESS_UNSENT);
    fake_spawner_expect_nothing(&f->spawner);
}

static void test_nobody_there(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    assert_int_equal(processes_connect(&f->ps, "/nonexistent/sock", &err), -ENOENT);
    assert_non_null(strstr(err.msg, "/nonexistent/sock"));
    assert_int_equal(f->losses, 0);
}

static void test_lost(void **state)
{
    struct fixture *f = *state;
    connect_to(f, &f->spawner);
    disconnect(f, &f->spawner);
    assert_int_equal(f->losses, 1);
    assert_string_equal(f->lost.msg, "spawner: it closed the connection");
    assert_null(f->ps.reader);
    connect_to(f, &f->spawner);
    assert_int_equal(f->lives, 2);
}

/* ---- starting ---- */

static void test_start(void **state)
{
    struct fixture *f = *state;
    connect_to(f, &f->spawner);
    struct process *p = add(f, 1, PROCESS_UNSENT);
    assert_int_equal(start(p), 0);
    assert_int_equal(p->state, PROCESS_SENT);
    struct record record = fake_spawner_take(&f->spawner, RECORD_SPAWN);
    assert_token(&record, p);
    assert_int_equal(record.spawn.task, 7);
    assert_int_equal(record.spawn.attempt, 2);
    assert_int_equal(record.spawn.uid, 1000);
    assert_int_equal(record.spawn.gid, 100);
    assert_int_equal(record.spawn.flags, SPAWN_MERGE);
    assert_int_equal(f->spawner.nfds, 2);

    struct aio_future *changed = process_await(p);
    fake_spawner_started(&f->spawner, p->token, 4312, 99);
    turns(f);
    assert_true(aio_future_is_done(changed));
    assert_int_equal(p->state, PROCESS_STARTED);
    assert_int_equal(p->pid, 4312);
    assert_int_equal(p->start_ticks, 99);
    assert_int_equal(p->started_ns, 1700000000);

    changed = process_await(p);
    assert_false(aio_future_is_done(changed));
    fake_spawner_started(&f->spawner, p->token, 1, 1); /* said again: nothing new */
    turns(f);
    assert_false(aio_future_is_done(changed));
    assert_int_equal(p->pid, 4312);
    fake_spawner_exited(&f->spawner, p->token, 256);
    turns(f);
    assert_true(aio_future_is_done(changed));
    assert_int_equal(p->state, PROCESS_EXITED);
    assert_int_equal(p->record.exited.status, 256);
    assert_int_equal(p->record.exited.usage.user_us, 5);
    fake_spawner_expect_nothing(&f->spawner); /* released only with its outcome on disk */
    uint8_t token[RECORD_TOKEN_BYTES];
    memcpy(token, p->token, sizeof(token));
    process_free(p, true);
    record = fake_spawner_take(&f->spawner, RECORD_RELEASE);
    assert_memory_equal(record.token, token, sizeof(token));
}

static void test_start_fails(void **state)
{
    struct fixture *f = *state;
    connect_to(f, &f->spawner);
    struct process *p = add(f, 1, PROCESS_UNSENT);
    assert_int_equal(start(p), 0);
    fake_spawner_failed(&f->spawner, p->token, SPAWN_STEP_EXEC, ENOENT);
    turns(f);
    assert_int_equal(p->state, PROCESS_FAILED);
    assert_int_equal(p->record.failed.step, SPAWN_STEP_EXEC);
    assert_int_equal(p->record.failed.err, ENOENT);
}

/* The descriptors are taken all the same: real_loop_done counts them. */
static void test_start_without_spawner(void **state)
{
    struct fixture *f = *state;
    struct process *p = add(f, 1, PROCESS_UNSENT);
    assert_int_equal(start(p), -ENOTCONN);
    assert_int_equal(p->state, PROCESS_UNSENT);
}

/* A spawner that is being stopped ran nothing: the next one will. */
static void test_start_while_stopping(void **state)
{
    struct fixture *f = *state;
    connect_to(f, &f->spawner);
    struct process *p = add(f, 1, PROCESS_UNSENT);
    assert_int_equal(start(p), 0);
    fake_spawner_take(&f->spawner, RECORD_SPAWN);
    struct aio_future *changed = process_await(p);
    fake_spawner_failed(&f->spawner, p->token, SPAWN_STEP_FORK, ESHUTDOWN);
    turns(f);
    assert_true(aio_future_is_done(changed));
    assert_int_equal(p->state, PROCESS_UNSENT);
    assert_false(process_connected(p));
    struct record record = fake_spawner_take(&f->spawner, RECORD_RELEASE);
    assert_token(&record, p);
    changed = process_await(p);
    disconnect(f, &f->spawner);
    connect_to(f, &f->another);
    assert_true(aio_future_is_done(changed));
    assert_int_equal(p->state, PROCESS_UNSENT);
    assert_true(process_connected(p));
}

/* ---- signals ---- */

static void test_signal(void **state)
{
    struct fixture *f = *state;
    connect_to(f, &f->spawner);
    struct process *p = add(f, 1, PROCESS_UNSENT);
    assert_int_equal(start(p), 0);
    process_signal(p, SIGTERM); /* right behind its SPAWN */
    fake_spawner_take(&f->spawner, RECORD_SPAWN);
    take_signal(&f->spawner, p, SIGTERM);
    fake_spawner_started(&f->spawner, p->token, 5, 5);
    turns(f);
    fake_spawner_expect_nothing(&f->spawner); /* not twice */
    process_signal(p, SIGKILL);
    take_signal(&f->spawner, p, SIGKILL);
    fake_spawner_exited(&f->spawner, p->token, SIGKILL);
    turns(f);
    process_signal(p, SIGKILL);
    turns(f);
    fake_spawner_expect_nothing(&f->spawner);
}

/* Asked for while nobody could be reached: delivered when it is known to run. */
static void test_signal_before_it_is_known(void **state)
{
    struct fixture *f = *state;
    struct process *p = expect(f, 1, 0xaa);
    process_signal(p, SIGTERM);
    hello(f, &f->spawner);
    fake_spawner_started(&f->spawner, p->token, 5, 5);
    list_end(f, &f->spawner);
    take_signal(&f->spawner, p, SIGTERM);
    fake_spawner_expect_nothing(&f->spawner);
}

/* The connection breaks with the signal in it: it is sent again. */
static void test_signal_is_not_lost(void **state)
{
    struct fixture *f = *state;
    connect_to(f, &f->spawner);
    struct process *p = add(f, 1, PROCESS_UNSENT);
    assert_int_equal(start(p), 0);
    fake_spawner_started(&f->spawner, p->token, 5, 5);
    turns(f);
    fake_spawner_take(&f->spawner, RECORD_SPAWN);
    process_signal(p, SIGKILL);
    disconnect(f, &f->spawner); /* unread */
    hello(f, &f->spawner);
    fake_spawner_started(&f->spawner, p->token, 5, 5);
    list_end(f, &f->spawner);
    take_signal(&f->spawner, p, SIGKILL);
}

/* The grace goes along, also the second time; one of 0 ms is one, and SIGKILL has none. */
static void test_grace_goes_along(void **state)
{
    struct fixture *f = *state;
    struct process *p = expect(f, 1, 0xaa);
    process_terminate(p, 700);
    hello(f, &f->spawner);
    fake_spawner_started(&f->spawner, p->token, 5, 5);
    list_end(f, &f->spawner);
    struct record record = fake_spawner_take(&f->spawner, RECORD_SIGNAL);
    assert_int_equal(record.signal.signo, SIGTERM);
    assert_int_equal(record.signal.grace_ms, 700);
    process_terminate(p, 0);
    record = fake_spawner_take(&f->spawner, RECORD_SIGNAL);
    assert_int_equal(record.signal.grace_ms, 1);
    process_signal(p, SIGKILL);
    record = fake_spawner_take(&f->spawner, RECORD_SIGNAL);
    assert_int_equal(record.signal.signo, SIGKILL);
    assert_int_equal(record.signal.grace_ms, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_connect),
        TEST(test_nobody_there),
        TEST(test_lost),
        TEST(test_start),
        TEST(test_start_fails),
        TEST(test_start_without_spawner),
        TEST(test_start_while_stopping),
        TEST(test_signal),
        TEST(test_signal_before_it_is_known),
        TEST(test_signal_is_not_lost),
        TEST(test_grace_goes_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
