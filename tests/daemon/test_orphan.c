/* SPDX-License-Identifier: MIT */
/*
 * Commands whose spawner has died, with real processes: recognised by pid and start time,
 * reported once when they end, signalled as a group.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/functions/orphan.h"
#include "tests/support/real_loop.h"

struct fixture {
    struct real_loop real;
    struct aio_future *gone; /* finishes with the first call */
    int calls;
    pid_t pid;     /* leads a group of two */
    int alive[2];  /* a pipe that both processes of the group hold open for writing */
    char name[32]; /* what the kernel calls it */
};

/* The leader, and one more in its group (which forgets PDEATHSIG); both wait for a signal. */
static void child(const struct fixture *f)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, f->name);
    (void)!fork();
    (void)!write(f->alive[1], ".", 1);
    for (;;)
        pause();
}

static void start(struct fixture *f, const char *name)
{
    char ready[1];
    snprintf(f->name, sizeof(f->name), "%s", name);
    assert_int_equal(pipe(f->alive), 0);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0)
        child(f);
    close(f->alive[1]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(read(f->alive[0], ready, 1), 1);
}

/* The end of every process of the group. */
static void await_group_end(struct fixture *f)
{
    char byte;
    assert_int_equal(read(f->alive[0], &byte, 1), 0);
    close(f->alive[0]);
    f->alive[0] = -1;
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.alive = {-1, -1}};
    real_loop_init(&f.real);
    f.gone = aio_future_new(&f.real.loop.sched);
    *state = &f;
    return f.gone ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->alive[0] >= 0) {
        kill(-f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
        await_group_end(f);
    }
    aio_future_unref(f->gone);
    real_loop_done(&f->real);
    return 0;
}

static void gone(void *ctx)
{
    struct fixture *f = ctx;
    f->calls++;
    if (!aio_future_is_done(f->gone))
        aio_future_set_result(f->gone, NULL);
}

/* Field 22 of /proc/PID/stat, for names without blanks or brackets. */
static uint64_t start_ticks(pid_t pid)
{
    char path[64];
    unsigned long long ticks = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    int c, bracket = 0;
    long behind = 0;
    while ((c = fgetc(file)) != EOF)
        if (c == ')' && ++bracket)
            behind = ftell(file);
    assert_true(bracket > 0);
    assert_int_equal(fseek(file, behind, SEEK_SET), 0);
    for (int field = 3; field < 22; field++)
        assert_int_equal(fscanf(file, "%*s"), 0);
    assert_int_equal(fscanf(file, "%llu", &ticks), 1);
    fclose(file);
    return ticks;
}

static int watch(struct fixture *f, struct orphan **ret, pid_t pid, uint64_t ticks)
{
    return orphan_watch(ret, &f->real.loop, (uint32_t)pid, ticks, gone, f);
}

/* The loop runs for so many turns, in which everything that is ready is told. */
static void some_turns(struct fixture *f)
{
    for (int i = 0; i < 5; i++) {
        aio_loop_stop(&f->real.loop);
        aio_loop_run(&f->real.loop);
    }
}

/* ---- the tests ---- */

static void test_gone(void **state)
{
    struct fixture *f = *state;
    struct orphan *o = NULL;
    start(f, "orphan");
    assert_int_equal(watch(f, &o, f->pid, start_ticks(f->pid)), 0);
    some_turns(f);
    assert_int_equal(f->calls, 0);
    kill(f->pid, SIGKILL);
    real_loop_run_until(&f->real, f->gone);
    assert_int_equal(f->calls, 1);
    some_turns(f); /* still a zombie, and reaped: told once */
    waitpid(f->pid, NULL, 0);
    some_turns(f);
    assert_int_equal(f->calls, 1);
    assert_null(orphan_free(o));
    kill(-f->pid, SIGKILL); /* the other one of the group */
    await_group_end(f);
}

/* Its own name cannot lead its recogniser astray. */
static void test_name_with_brackets(void **state)
{
    struct fixture *f = *state;
    struct orphan *o = NULL;
    start(f, "a) R 1 (b");
    assert_int_equal(watch(f, &o, f->pid, start_ticks(f->pid)), 0);
    orphan_free(o);
}

static void test_another_process(void **state)
{
    struct fixture *f = *state;
    struct orphan *o = NULL;
    start(f, "orphan");
    uint64_t ticks = start_ticks(f->pid);
    assert_int_equal(watch(f, &o, f->pid, ticks + 1), -ESRCH);
    assert_int_equal(watch(f, &o, f->pid, ticks - 1), -ESRCH);
    assert_int_equal(watch(f, &o, f->pid, 0), -ESRCH);
    assert_int_equal(watch(f, &o, 0, ticks), -ESRCH); /* it never was known to have started */
    assert_null(o);
    kill(-f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
    assert_int_equal(watch(f, &o, f->pid, ticks), -ESRCH);
    await_group_end(f);
    some_turns(f);
    assert_int_equal(f->calls, 0);
    assert_null(orphan_free(NULL));
}

static void test_signal(void **state)
{
    struct fixture *f = *state;
    struct orphan *o = NULL;
    int status = 0;
    start(f, "orphan");
    assert_int_equal(watch(f, &o, f->pid, start_ticks(f->pid)), 0);
    orphan_signal(o, SIGTERM);
    real_loop_run_until(&f->real, f->gone);
    await_group_end(f); /* both of the group */
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    orphan_signal(o, SIGKILL); /* reaped: its number may be somebody else's */
    orphan_free(o);
}

/* Freed while it lives: nothing is told, the process goes on. */
static void test_freed(void **state)
{
    struct fixture *f = *state;
    struct orphan *o = NULL;
    start(f, "orphan");
    assert_int_equal(watch(f, &o, f->pid, start_ticks(f->pid)), 0);
    orphan_free(o);
    assert_int_equal(kill(f->pid, 0), 0);
    kill(-f->pid, SIGKILL);
    await_group_end(f);
    some_turns(f);
    waitpid(f->pid, NULL, 0);
    assert_int_equal(f->calls, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_gone),
        TEST(test_name_with_brackets),
        TEST(test_another_process),
        TEST(test_signal),
        TEST(test_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
