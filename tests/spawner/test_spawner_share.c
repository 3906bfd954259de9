/* SPDX-License-Identifier: MIT */
/*
 * test_spawner_share - children that have not executed their command yet: they share the
 * spawner's memory (launch.h), hang as long as they like, and harm nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/spawner/launch.h"
#include "daemon/spawner/ticks.h"
#include "rig.h"

/* Its path, for as long as the test runs. */
static const char *make_fifo(struct rig *rig)
{
    static char fifo[RIG_PATH];
    snprintf(fifo, sizeof(fifo), "%s", rig_file(rig, "fifo"));
    assert_int_equal(mkfifo(fifo, 0666), 0);
    return fifo;
}

/* Those who have it open, or wait for a writer in open(2), are at its end. */
static void let_go(const char *fifo)
{
    int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
}

static void assert_serves(struct rig *rig)
{
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = SHELL("exit 3")})), 3);
}

/* A line of /proc/PID/status, behind its name. */
static bool status_is(pid_t pid, const char *name, const char *value)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    const char *line = strstr(rig_read(path), name);
    return line && strncmp(line + strlen(name), value, strlen(value)) == 0;
}

static long status_number(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    const char *line = strstr(rig_read(path), name);
    assert_non_null(line);
    return atol(line + strlen(name));
}

/* Every one is told what it is to run, while others come and go over the same memory. */
static void test_memory_is_kept_apart(void **state)
{
    enum { HANGING = LAUNCHES_SHARING_MAX + 20, OTHERS = 50 };
    struct rig *rig = *state;
    struct command waiting = {.input = make_fifo(rig)};
    unsigned first = rig->next + 1;
    char word[64], name[64], expected[256];

    for (int i = 0; i < HANGING; i++) {
        snprintf(word, sizeof(word), "argument-%d", i);
        snprintf(name, sizeof(name), "NAME_%d=value-%d", i, i);
        waiting.argv = ARGV("sh", "-c", "cat; echo \"$1\"; env | grep ^NAME_", "sh", word);
        waiting.env = ARGV("PATH=/usr/bin:/bin", name);
        rig_spawn(rig, &waiting);
    }
    for (int i = 0; i < OTHERS; i++)
        assert_serves(rig);
    for (unsigned i = 0; i < HANGING; i++) {
        while (!rig_find(rig, first + i, RECORD_EXITED)) {
            let_go(waiting.input);
            assert_serves(rig);
        }
        assert_exit(rig_end(rig, first + i), 0);
        snprintf(expected, sizeof(expected), "argument-%u\nNAME_%u=value-%u\n", i, i, i);
        assert_string_equal(rig_out(rig, first + i), expected);
    }
}

/* What kills a child, also by what would dump core, kills nobody that shares its memory. */
static void test_deadly_signals(void **state)
{
    static const int signals[] = {SIGKILL, SIGABRT, SIGQUIT, SIGTERM, SIGSYS, SIGSEGV, SIGBUS};
    struct rig *rig = *state;
    struct command waiting = {.argv = ARGV("cat"), .input = make_fifo(rig)};
    unsigned by = rig_spawn(rig, &waiting);
    size_t count = ARRAY_SIZE(signals) - (RIG_SANITIZED ? 2 : 0);
    for (size_t i = 0; i < count; i++) {
        unsigned n = rig_spawn(rig, &waiting);
        rig_started(rig, n);
        rig_signal(rig, n, signals[i]);
        assert_killed(rig_end(rig, n), signals[i]);
        assert_serves(rig);
    }
    assert_null(rig_find(rig, by, RECORD_EXITED));
    int fd = open(rig_file(rig, "fifo"), O_WRONLY | O_CLOEXEC);
    close(fd);
    assert_exit(rig_end(rig, by), 0);
}

/* Nor is what they were started with kept for them, however they end. */
static void test_memory_is_taken_back(void **state)
{
    enum { ROUNDS = 40 };
    struct rig *rig = *state;
    struct command waiting = {.argv = ARGV("cat"), .input = make_fifo(rig)};
    long before = 0;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned n[4];
        for (size_t k = 0; k < ARRAY_SIZE(n); k++)
            n[k] = rig_spawn(rig, &waiting);
        for (size_t k = 0; k < ARRAY_SIZE(n); k++) {
            rig_started(rig, n[k]);
            rig_signal(rig, n[k], k % 2 ? SIGKILL : SIGABRT);
            assert_killed(rig_end(rig, n[k]), k % 2 ? SIGKILL : SIGABRT);
            rig_release(rig, n[k]);
        }
        rig_list(rig);
        if (i == 4)
            before = status_number(rig->pid, "VmSize:");
    }
    if (!RIG_SANITIZED)
        assert_in_range(status_number(rig->pid, "VmSize:"), 1, before);
}

static bool is_stopped(struct rig *rig, const void *pid)
{
    (void)rig;
    return status_is(*(const pid_t *)pid, "State:\t", "T");
}

static void wait_until(struct rig *rig, rig_condition *condition, const void *arg)
{
    while (!condition(rig, arg))
        assert_serves(rig);
}

static void test_stopped_child(void **state)
{
    struct rig *rig = *state;
    unsigned n =
        rig_spawn(rig, &(struct command){.argv = ARGV("cat"), .input = make_fifo(rig)});
    pid_t pid = (pid_t)rig_started(rig, n)->started.pid;
    rig_signal(rig, n, SIGSTOP);
    wait_until(rig, is_stopped, &pid);
    rig_signal(rig, n, SIGCONT);
    int fd = open(rig_file(rig, "fifo"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "on\n", 3), 3);
    close(fd);
    assert_exit(rig_end(rig, n), 0);
    assert_string_equal(rig_out(rig, n), "on\n");
}

/* The spawner is gone while a child still uses the memory: it goes on to its command. */
static void test_spawner_killed(void **state)
{
    struct rig *rig = *state;
    unsigned n = rig_spawn(
        rig, &(struct command){.argv = SHELL("cat; echo ran"), .input = make_fifo(rig)});
    rig_started(rig, n);
    rig_kill(rig);
    rig_drop(rig);
    int fd = open(rig_file(rig, "fifo"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "in\n", 3), 3);
    close(fd);
    struct stat st;
    do /* it is nobody's child here: its output tells */
        assert_int_equal(stat(rig_file(rig, "out.1"), &st), 0);
    while (st.st_size < 7);
    assert_string_equal(rig_out(rig, n), "in\nran\n");
}

/* STARTED has what /proc/PID/stat has, though it is not read for each. */
static void test_start_ticks(void **state)
{
    enum { MANY = 60 };
    struct rig *rig = *state;
    unsigned n[MANY];
    for (int i = 0; i < MANY; i++) {
        n[i] = rig_spawn(rig, &(struct command){.argv = ARGV("sleep", "1000")});
        const struct record *rec = rig_started(rig, n[i]);
        uint64_t ticks = ticks_of((pid_t)rec->started.pid);
        assert_int_not_equal(ticks, 0);
        assert_int_equal(rec->started.start_ticks, ticks);
    }
    for (int i = 0; i < MANY; i++)
        rig_signal(rig, n[i], SIGKILL);
    for (int i = 0; i < MANY; i++)
        assert_killed(rig_end(rig, n[i]), SIGKILL);
}

static void test_ticks_trust(void **state)
{
    (void)state;
    uint64_t tick = NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t own = ticks_of(getpid());
    enum ticks_trust trust = TICKS_UNTRIED;
    /* a clock that tells something else than the file is not believed again */
    assert_int_equal(ticks_of_new(&trust, getpid(), (own + 7) * tick, (own + 7) * tick + 1),
                     own);
    assert_int_equal(trust, TICKS_BY_FILE);
    assert_int_equal(ticks_of_new(&trust, getpid(), 5 * tick, 5 * tick + 1), own);
    /* what proves nothing decides nothing */
    trust = TICKS_UNTRIED;
    assert_int_equal(ticks_of_new(&trust, getpid(), own * tick, (own + 1) * tick), own);
    assert_int_equal(trust, TICKS_UNTRIED);
    assert_int_equal(ticks_of_new(&trust, getpid(), own * tick, own * tick + tick - 1), own);
    assert_int_equal(trust, TICKS_BY_CLOCK);
    assert_int_equal(ticks_of_new(&trust, getpid(), 5 * tick, 5 * tick + 1), 5);
    /* the file is asked where the clock cannot tell */
    assert_int_equal(ticks_of_new(&trust, getpid(), 5 * tick, 6 * tick), own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_is_kept_apart, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_deadly_signals, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_memory_is_taken_back, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_stopped_child, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_spawner_killed, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_start_ticks, rig_setup, rig_teardown),
        cmocka_unit_test(test_ticks_trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
