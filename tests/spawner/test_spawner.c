/* SPDX-License-Identifier: MIT */
/*
 * test_spawner - commands: how they are started, how they end, what they find.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rig.h"

static void test_exit_status(void **state)
{
    struct rig *rig = *state;
    uint64_t before = clock_wall();
    unsigned a = rig_spawn(rig, &(struct command){.argv = SHELL("exit 7")});
    unsigned b = rig_spawn(rig, &(struct command){.argv = ARGV("true")});

    assert_exit(rig_end(rig, a), 7);
    assert_exit(rig_end(rig, b), 0);
    const struct record *started = rig_find(rig, a, RECORD_STARTED);
    const struct record *exited = rig_find(rig, a, RECORD_EXITED);
    assert_true(started && started < exited);
    assert_true(started->started.start_ticks > 0);
    assert_in_range(started->started.wall_ns, before, clock_wall());
    assert_in_range(exited->exited.wall_ns, started->started.wall_ns, clock_wall());
    assert_true(exited->exited.usage.maxrss_kib > 0);
    assert_int_equal(rig->client.in_flight, 0);
}

static void test_usage_is_of_the_command(void **state)
{
    struct rig *rig = *state;
    unsigned n = rig_spawn(
        rig,
        &(struct command){.argv = SHELL("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")});
    const struct record *rec = rig_end(rig, n);
    assert_exit(rec, 0);
    assert_true(rec->exited.usage.user_us + rec->exited.usage.system_us > 5000);
}

static void test_signal_death(void **state)
{
    struct rig *rig = *state;
    unsigned n = rig_spawn(rig, &(struct command){.argv = SHELL("kill -USR1 $$")});
    assert_killed(rig_end(rig, n), SIGUSR1);
}

static void test_failures_are_exact(void **state)
{
    struct rig *rig = *state;
    const char *plain = rig_file(rig, "plain");
    const char *script = rig_file(rig, "script");
    rig_write(plain, "echo no", 0644);
    rig_write(script, "#!/no/such/interpreter\n", 0755);

    unsigned none = rig_spawn(rig, &(struct command){.argv = ARGV("no-such-command")});
    unsigned path = rig_spawn(rig, &(struct command){.argv = ARGV("/no/such/command")});
    unsigned cwd = rig_spawn(rig, &(struct command){.argv = ARGV("true"), .cwd = "/no/dir"});
    unsigned file = rig_spawn(rig, &(struct command){.argv = ARGV("true"), .cwd = plain});
    unsigned mode = rig_spawn(rig, &(struct command){.argv = ARGV(plain)});
    unsigned interpreter = rig_spawn(rig, &(struct command){.argv = ARGV(script)});
    unsigned input = rig_spawn(rig, &(struct command){.argv = ARGV("cat"), .input = "/no/in"});

    assert_failed(rig_end(rig, none), SPAWN_STEP_EXEC, ENOENT);
    assert_failed(rig_end(rig, path), SPAWN_STEP_EXEC, ENOENT);
    assert_failed(rig_end(rig, cwd), SPAWN_STEP_CHDIR, ENOENT);
    assert_failed(rig_end(rig, file), SPAWN_STEP_CHDIR, ENOTDIR);
    assert_failed(rig_end(rig, mode), SPAWN_STEP_EXEC, EACCES);
    assert_failed(rig_end(rig, interpreter), SPAWN_STEP_EXEC, ENOENT);
    assert_failed(rig_end(rig, input), SPAWN_STEP_STDIN, ENOENT);
    assert_int_equal(rig->client.in_flight, 0);
}

static void test_failure_texts(void **state)
{
    (void)state;
    char text[128];
    struct record rec = {.type = RECORD_FAILED, .failed = {SPAWN_STEP_EXEC, ENOENT}};
    assert_string_equal(spawner_failure_text(text, sizeof(text), &rec, "foo", "/", NULL),
                        "no such command: foo");
    rec.failed.step = SPAWN_STEP_CHDIR;
    assert_string_equal(spawner_failure_text(text, sizeof(text), &rec, "foo", "/srv/x", NULL),
                        "cwd /srv/x: No such file or directory");
    rec.failed.step = SPAWN_STEP_STDIN;
    assert_string_equal(spawner_failure_text(text, sizeof(text), &rec, "foo", "/", "/in"),
                        "input /in: No such file or directory");
}

static void test_path_search(void **state)
{
    struct rig *rig = *state;
    char path[2 * RIG_PATH];
    mkdir(rig_file(rig, "one"), 0755);
    mkdir(rig_file(rig, "two"), 0755);
    rig_write(rig_file(rig, "one/tool"), "#!/bin/sh\necho one\n", 0644);
    rig_write(rig_file(rig, "two/tool"), "echo \"two $0 $1\"\n",
              0755); /* a script without #! */
    snprintf(path, sizeof(path), "PATH=/no/such:%s:%s", rig_file(rig, "one"),
             rig_file(rig, "two"));

    /* one/tool is not executable, so two/tool is it; run by the shell as execvp would. */
    unsigned both =
        rig_spawn(rig, &(struct command){.argv = ARGV("tool", "arg"), .env = ARGV(path)});
    snprintf(path, sizeof(path), "PATH=%s:/no/such", rig_file(rig, "one"));
    unsigned denied =
        rig_spawn(rig, &(struct command){.argv = ARGV("tool"), .env = ARGV(path)});
    unsigned here = rig_spawn(rig, &(struct command){.argv = ARGV("tool"),
                                                     .env = ARGV("PATH=/no/such:"),
                                                     .cwd = rig_file(rig, "two")});
    unsigned slash = rig_spawn(
        rig,
        &(struct command){.argv = ARGV("./two/tool"), .env = ARGV("X=1"), .cwd = rig->dir});
    unsigned without =
        rig_spawn(rig, &(struct command){.argv = ARGV("true"), .env = ARGV("X=1")});

    assert_exit(rig_end(rig, both), 0);
    char expected[RIG_PATH];
    snprintf(expected, sizeof(expected), "two %s arg\n", rig_file(rig, "two/tool"));
    assert_string_equal(rig_out(rig, both), expected);
    assert_failed(rig_end(rig, denied), SPAWN_STEP_EXEC, EACCES);
    assert_exit(rig_end(rig, here), 0);
    assert_string_equal(rig_out(rig, here), "two tool \n");
    assert_exit(rig_end(rig, slash), 0);
    assert_string_equal(rig_out(rig, slash), "two ./two/tool \n");
    assert_exit(rig_end(rig, without), 0);
}

static void test_environment_is_exact(void **state)
{
    struct rig *rig = *state;
    unsigned n = rig_spawn(rig, &(struct command){.argv = ARGV(SPAWNER_PROBE, "env"),
                                                  .env = ARGV("A=1", "AIOD_TASK_ID=forged",
                                                              "AIOD_TASK_IDS=kept", "B=")});
    assert_exit(rig_end(rig, n), 0);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "A=1\nAIOD_TASK_IDS=kept\nB=\nAIOD_TASK_ID=%u\nAIOD_ATTEMPT=1\n", 1000 + n);
    assert_string_equal(rig_out(rig, n), expected);
}

static void test_process_is_clean(void **state)
{
    struct rig *rig = *state;
    struct rlimit own;
    assert_int_equal(prlimit(rig->pid, RLIMIT_NOFILE, NULL, &own), 0);
    assert_int_equal(own.rlim_cur, own.rlim_max);
    unsigned other = rig_spawn(rig, &(struct command){.argv = ARGV("sleep", "1000")});
    unsigned n = rig_spawn(
        rig, &(struct command){.argv = ARGV(SPAWNER_PROBE, "fds", "signals", "process"),
                               .cwd = "/usr",
                               .umask = 0137});
    assert_exit(rig_end(rig, n), 0);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "fd 0\nfd 1\nfd 2\ncwd /usr\numask 137\nleader 1 1\nnofile %d\n", RIG_NOFILE);
    assert_string_equal(rig_out(rig, n), expected);
    rig_signal(rig, other, SIGKILL);
    assert_killed(rig_end(rig, other), SIGKILL);
}

static void test_input_and_outputs(void **state)
{
    struct rig *rig = *state;
    rig_write(rig_file(rig, "in"), "from the file\n", 0644);
    unsigned in =
        rig_spawn(rig, &(struct command){.argv = ARGV("cat"), .input = rig_file(rig, "in")});
    unsigned null = rig_spawn(rig, &(struct command){.argv = ARGV("cat")});
    unsigned merged =
        rig_spawn(rig, &(struct command){.argv = SHELL("echo a; echo b >&2; echo c")});
    unsigned split =
        rig_spawn(rig, &(struct command){.argv = SHELL("echo a; echo b >&2"), .split = true});

    assert_exit(rig_end(rig, in), 0);
    assert_string_equal(rig_out(rig, in), "from the file\n");
    assert_exit(rig_end(rig, null), 0);
    assert_string_equal(rig_out(rig, null), "");
    assert_exit(rig_end(rig, merged), 0);
    assert_string_equal(rig_out(rig, merged), "a\nb\nc\n");
    assert_exit(rig_end(rig, split), 0);
    assert_string_equal(rig_out(rig, split), "a\n");
    char name[32];
    snprintf(name, sizeof(name), "err.%u", split);
    assert_string_equal(rig_read(rig_file(rig, name)), "b\n");
}

/* A child that hangs before exec is a process like any other, and holds nobody up. */
static void test_fifo_as_input(void **state)
{
    struct rig *rig = *state;
    const char *fifo = rig_file(rig, "fifo");
    assert_int_equal(mkfifo(fifo, 0644), 0);
    struct command waiting = {.argv = ARGV("cat"), .input = fifo};

    unsigned term = rig_spawn(rig, &waiting);
    rig_signal(rig, term, SIGTERM); /* perhaps before it is in a session of its own */
    unsigned a = rig_spawn(rig, &waiting);
    unsigned b = rig_spawn(rig, &waiting);
    unsigned other = rig_spawn(rig, &(struct command){.argv = SHELL("exit 3")});
    assert_exit(rig_end(rig, other), 3);
    assert_killed(rig_end(rig, term), SIGTERM);
    assert_non_null(rig_find(rig, a, RECORD_STARTED));
    assert_null(rig_find(rig, a, RECORD_EXITED));
    rig_signal(rig, a, SIGKILL);
    assert_killed(rig_end(rig, a), SIGKILL);

    int fd = open(fifo, O_WRONLY | O_CLOEXEC); /* returns when b has it open */
    assert_int_equal(write(fd, "at last\n", 8), 8);
    close(fd);
    assert_exit(rig_end(rig, b), 0);
    assert_string_equal(rig_out(rig, b), "at last\n");
}

/* All of the group hold the FIFO open: its end is the end of the last of them. */
static void test_signal_goes_to_the_group(void **state)
{
    struct rig *rig = *state;
    char text[16];
    uint8_t unknown[RECORD_TOKEN_BYTES] = {1, 2, 3};
    const char *fifo = rig_file(rig, "fifo");
    assert_int_equal(mkfifo(fifo, 0644), 0);
    unsigned n = rig_spawn(
        rig, &(struct command){.argv = SHELL("exec 3>fifo; sleep 1000 & echo up >&3; wait"),
                               .cwd = rig->dir});
    int fd = open(fifo, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof(text)), 3);
    spawner_client_signal(&rig->client, unknown, SIGTERM, 0); /* nobody: ignored */
    rig_signal(rig, n, SIGTERM);
    assert_killed(rig_end(rig, n), SIGTERM);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, RIG_DEADLINE_MS), 1);
    assert_int_equal(read(fd, text, sizeof(text)), 0);
    close(fd);
}

/* Unsealed, not a memfd at all: FAILED, and the spawner serves on. */
static void test_bad_specs(void **state)
{
    struct rig *rig = *state;
    struct spawn_request req;
    struct command c = {.argv = ARGV("true")};
    unsigned n = ++rig->next;
    rig_request(rig, &req, n, &c);
    close(req.spec_fd);
    req.spec_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(spawner_client_spawn(&rig->client, &req), 0);
    assert_failed(rig_end(rig, n), SPAWN_STEP_SPEC, EPERM);
    assert_null(rig_find(rig, n, RECORD_STARTED));
    assert_exit(rig_end(rig, rig_spawn(rig, &c)), 0);
}

/* More than may be in flight: the rest waits in the client, in order. */
static void test_many_at_once(void **state)
{
    enum { MANY = 300 };
    struct rig *rig = *state;
    unsigned n[MANY];
    for (int i = 0; i < MANY; i++)
        n[i] = rig_spawn(rig, &(struct command){.argv = SHELL("exit 5")});
    assert_int_equal(rig->client.in_flight, LIMIT_SPAWNS_IN_FLIGHT);
    for (int i = 0; i < MANY; i++) {
        assert_exit(rig_end(rig, n[i]), 5);
        assert_int_equal(rig_count(rig, n[i], RECORD_STARTED), 1);
        assert_int_equal(rig_count(rig, n[i], RECORD_EXITED), 1);
        rig_release(rig, n[i]);
    }
    rig_list(rig);
    assert_int_equal(rig->nlog, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exit_status, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_usage_is_of_the_command, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_signal_death, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_failures_are_exact, rig_setup, rig_teardown),
        cmocka_unit_test(test_failure_texts),
        cmocka_unit_test_setup_teardown(test_path_search, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_environment_is_exact, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_process_is_clean, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_input_and_outputs, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_fifo_as_input, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_signal_goes_to_the_group, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad_specs, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_many_at_once, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
