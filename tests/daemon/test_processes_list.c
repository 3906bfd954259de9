/* SPDX-License-Identifier: MIT */
/*
 * What LIST settles: attempts of an aiod before this one, attempts that were in doubt when the
 * connection broke, and processes that outlived their spawner.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/daemon/processes_fixture.h"

/* ---- what LIST settles ---- */

static void test_adopted(void **state)
{
    struct fixture *f = *state;
    struct process *runs = expect(f, 1, 0xaa);
    struct process *exited = expect(f, 2, 0xaa);
    struct process *failed = expect(f, 3, 0xaa);
    struct aio_future *changed = process_await(runs);
    hello(f, &f->spawner);
    fake_spawner_started(&f->spawner, runs->token, 11, 1);
    fake_spawner_started(&f->spawner, exited->token, 12, 2);
    fake_spawner_exited(&f->spawner, exited->token, 9);
    fake_spawner_failed(&f->spawner, failed->token, SPAWN_STEP_CHDIR, ENOENT);
    list_end(f, &f->spawner);
    assert_true(aio_future_is_done(changed));
    assert_int_equal(runs->state, PROCESS_STARTED);
    assert_int_equal(runs->pid, 11);
    assert_int_equal(exited->state, PROCESS_EXITED);
    assert_int_equal(exited->pid, 12);
    assert_int_equal(exited->record.exited.status, 9);
    assert_int_equal(failed->state, PROCESS_FAILED);
    assert_int_equal(failed->record.failed.step, SPAWN_STEP_CHDIR);
    fake_spawner_expect_nothing(&f->spawner);
}

/* Also one that was recorded with a spawner before this one, and was sent to this one. */
static void test_adopted_from_another(void **state)
{
    struct fixture *f = *state;
    struct process *p = expect(f, 1, 0xcc);
    hello(f, &f->spawner);
    fake_spawner_started(&f->spawner, p->token, 11, 1);
    list_end(f, &f->spawner);
    assert_int_equal(p->state, PROCESS_STARTED);
    assert_memory_equal(p->spawner, f->spawner.id, sizeof(p->spawner));
}

static void test_unsent(void **state)
{
    struct fixture *f = *state;
    struct process *p = expect(f, 1, 0xaa);
    struct aio_future *changed = process_await(p);
    connect_to(f, &f->spawner);
    assert_int_equal(p->state, PROCESS_UNSENT);
    assert_true(aio_future_is_done(changed));
    process_free(p, true); /* nobody knows it: nothing to release */
    fake_spawner_expect_nothing(&f->spawner);
}

static void test_lost_with_its_spawner(void **state)
{
    struct fixture *f = *state;
    struct process *never_seen = expect(f, 1, 0xcc);
    struct process *gone = expect(f, 2, 0xcc);
    struct process *other_boot = expect(f, 3, 0xaa);
    struct process *same_pid = expect(f, 4, 0xcc);
    gone->pid = 4194304; /* above every pid */
    gone->start_ticks = 1;
    other_boot->same_boot = false;
    other_boot->pid = (uint32_t)getpid();
    same_pid->pid = (uint32_t)getpid(); /* ours, and not what was recorded */
    same_pid->start_ticks = 1;
    connect_to(f, &f->spawner);
    assert_int_equal(never_seen->state, PROCESS_LOST);
    assert_int_equal(gone->state, PROCESS_LOST);
    assert_int_equal(other_boot->state, PROCESS_LOST);
    assert_int_equal(same_pid->state, PROCESS_LOST);
}

/* An end that was recorded before the restart: the spawner offers it again. */
static void test_unknown_exit_is_released(void **state)
{
    struct fixture *f = *state;
    uint8_t token[RECORD_TOKEN_BYTES] = {9};
    hello(f, &f->spawner);
    fake_spawner_started(&f->spawner, token, 3, 3);
    fake_spawner_exited(&f->spawner, token, 0);
    fake_spawner_failed(&f->spawner, token, SPAWN_STEP_EXEC, EACCES);
    turns(f);
    list_end(f, &f->spawner);
    for (int i = 0; i < 2; i++) {
        struct record record = fake_spawner_take(&f->spawner, RECORD_RELEASE);
        assert_memory_equal(record.token, token, sizeof(token));
    }
    fake_spawner_expect_nothing(&f->spawner);
}

/* ---- a process that outlived its spawner ---- */

struct child {
    pid_t pid;
    uint64_t start_ticks;
};

/* Leads a group of its own and waits for a signal. */
static struct child child_start(void)
{
    struct child child = {.pid = fork()};
    char path[64];
    unsigned long long ticks = 0;
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    setpgid(child.pid, child.pid);
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)child.pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    for (int field = 1; field < 22; field++) /* the name of this test has no blank in it */
        assert_int_equal(fscanf(file, "%*s"), 0);
    assert_int_equal(fscanf(file, "%llu", &ticks), 1);
    fclose(file);
    child.start_ticks = ticks;
    return child;
}

static struct process *expect_child(struct fixture *f, const struct child *child)
{
    struct process *p = expect(f, 1, 0xcc);
    p->pid = (uint32_t)child->pid;
    p->start_ticks = child->start_ticks;
    return p;
}

static void await_lost(struct fixture *f, struct process *p, const struct child *child,
                       int signo)
{
    int status = 0;
    struct aio_future *changed = process_await(p);
    if (p->state == PROCESS_ORPHAN)
        real_loop_run_until(&f->real, changed);
    assert_int_equal(p->state, PROCESS_LOST);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signo);
}

static void test_orphan(void **state)
{
    struct fixture *f = *state;
    struct child child = child_start();
    struct process *p = expect_child(f, &child);
    connect_to(f, &f->spawner);
    assert_int_equal(p->state, PROCESS_ORPHAN);
    /* the connection is nothing to it any more */
    disconnect(f, &f->spawner);
    assert_int_equal(p->state, PROCESS_ORPHAN);
    connect_to(f, &f->another);
    assert_int_equal(p->state, PROCESS_ORPHAN);
    process_signal(p, SIGTERM);
    await_lost(f, p, &child, SIGTERM);
    fake_spawner_expect_nothing(&f->another);
}

static void test_orphan_is_signalled_late(void **state)
{
    struct fixture *f = *state;
    struct child child = child_start();
    struct process *p = expect_child(f, &child);
    process_signal(p, SIGINT); /* while it is not known yet */
    connect_to(f, &f->spawner);
    await_lost(f, p, &child, SIGINT);
}

/* Forgotten while it runs: nobody is told, nothing is touched. */
static void test_orphan_is_let_go(void **state)
{
    struct fixture *f = *state;
    struct child child = child_start();
    struct process *p = expect_child(f, &child);
    connect_to(f, &f->spawner);
    process_free(p, false);
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    turns(f);
}

/* ---- the connection breaks ---- */

static void test_doubt(void **state)
{
    struct fixture *f = *state;
    struct process *p[6];
    connect_to(f, &f->spawner);
    for (uint8_t i = 0; i < 6; i++)
        p[i] = add(f, i, PROCESS_UNSENT);
    for (uint8_t i = 1; i < 6; i++)
        assert_int_equal(start(p[i]), 0);
    for (uint8_t i = 2; i < 6; i++)
        fake_spawner_started(&f->spawner, p[i]->token, 10u + i, 1);
    fake_spawner_exited(&f->spawner, p[3]->token, 0);
    turns(f);
    struct aio_future *changed = process_await(p[1]);
    disconnect(f, &f->spawner);
    assert_true(aio_future_is_done(changed));
    assert_int_equal(p[0]->state, PROCESS_UNSENT);
    assert_int_equal(p[1]->state, PROCESS_UNKNOWN);
    assert_int_equal(p[2]->state, PROCESS_UNKNOWN);
    assert_int_equal(p[3]->state, PROCESS_EXITED);

    hello(f, &f->spawner);
    fake_spawner_started(&f->spawner, p[2]->token, 12, 1);
    fake_spawner_started(&f->spawner, p[3]->token, 13, 1);
    fake_spawner_exited(&f->spawner, p[3]->token, 0);
    fake_spawner_started(&f->spawner, p[4]->token, 14, 1);
    fake_spawner_exited(&f->spawner, p[4]->token, 15);
    fake_spawner_failed(&f->spawner, p[5]->token, SPAWN_STEP_EXEC, EACCES);
    list_end(f, &f->spawner);
    assert_int_equal(p[0]->state, PROCESS_UNSENT);
    assert_int_equal(p[1]->state, PROCESS_UNSENT); /* it never arrived */
    assert_int_equal(p[2]->state, PROCESS_STARTED);
    assert_int_equal(p[3]->state, PROCESS_EXITED);
    assert_int_equal(p[4]->state, PROCESS_EXITED);
    assert_int_equal(p[4]->record.exited.status, 15);
    assert_int_equal(p[5]->state, PROCESS_FAILED);
}

/* Sent to another spawner than it was made for: that one settles it. */
static void test_doubt_after_another_spawner(void **state)
{
    struct fixture *f = *state;
    connect_to(f, &f->spawner);
    struct process *p = add(f, 1, PROCESS_UNSENT);
    disconnect(f, &f->spawner);
    connect_to(f, &f->another);
    assert_int_equal(start(p), 0);
    disconnect(f, &f->another);
    assert_int_equal(p->state, PROCESS_UNKNOWN);
    connect_to(f, &f->another);
    assert_int_equal(p->state, PROCESS_UNSENT);
}

/* What still waited in the queue was never sent, whoever comes next. */
static void test_doubt_spares_the_queue(void **state)
{
    enum { N = LIMIT_SPAWNS_IN_FLIGHT + 2 };
    struct fixture *f = *state;
    struct process *p[N];
    connect_to(f, &f->spawner);
    for (uint8_t i = 0; i < N; i++) {
        p[i] = add(f, i, PROCESS_UNSENT);
        assert_int_equal(start(p[i]), 0);
    }
    turns(f);
    disconnect(f, &f->spawner);
    connect_to(f, &f->another);
    for (unsigned i = 0; i < LIMIT_SPAWNS_IN_FLIGHT; i++)
        assert_int_equal(p[i]->state, PROCESS_LOST);
    for (unsigned i = LIMIT_SPAWNS_IN_FLIGHT; i < N; i++)
        assert_int_equal(p[i]->state, PROCESS_UNSENT);
}

/* An outcome that reached the disk while nobody was there: released by the next LIST. */
static void test_release_while_away(void **state)
{
    struct fixture *f = *state;
    connect_to(f, &f->spawner);
    struct process *p = add(f, 1, PROCESS_UNSENT);
    uint8_t token[RECORD_TOKEN_BYTES];
    memcpy(token, p->token, sizeof(token));
    assert_int_equal(start(p), 0);
    fake_spawner_exited(&f->spawner, token, 0);
    turns(f);
    disconnect(f, &f->spawner);
    assert_int_equal(p->state, PROCESS_EXITED);
    process_free(p, true);
    hello(f, &f->spawner);
    fake_spawner_exited(&f->spawner, token, 0);
    list_end(f, &f->spawner);
    struct record record = fake_spawner_take(&f->spawner, RECORD_RELEASE);
    assert_memory_equal(record.token, token, sizeof(token));
}

static void test_free_without_release(void **state)
{
    struct fixture *f = *state;
    connect_to(f, &f->spawner);
    struct process *p = add(f, 1, PROCESS_UNSENT);
    assert_int_equal(start(p), 0);
    fake_spawner_take(&f->spawner, RECORD_SPAWN);
    process_free(p, false); /* aiod stops: the next one wants it */
    turns(f);
    fake_spawner_expect_nothing(&f->spawner);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_adopted),
        TEST(test_adopted_from_another),
        TEST(test_unsent),
        TEST(test_lost_with_its_spawner),
        TEST(test_unknown_exit_is_released),
        TEST(test_orphan),
        TEST(test_orphan_is_signalled_late),
        TEST(test_orphan_is_let_go),
        TEST(test_doubt),
        TEST(test_doubt_after_another_spawner),
        TEST(test_doubt_spares_the_queue),
        TEST(test_release_while_away),
        TEST(test_free_without_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
