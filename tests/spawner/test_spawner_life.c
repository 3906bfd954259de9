/* SPDX-License-Identifier: MIT */
/*
 * test_spawner_life - how the spawner itself begins and ends: lock, readiness, stopping, the
 * exits file, idleness, kill -9.
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rig.h"

static bool rig_is_lost(struct rig *rig, const void *arg)
{
    (void)arg;
    return rig->lost;
}

static bool exists(const struct rig *rig, const char *name)
{
    return access(rig_file(rig, name), F_OK) == 0;
}

/* A command that says when it is ready for signals, through its output. */
static unsigned spawn_ready(struct rig *rig, const char *line)
{
    char byte;
    const char *fifo = rig_file(rig, "ready");
    unlink(fifo);
    assert_int_equal(mkfifo(fifo, 0644), 0);
    unsigned n = rig_spawn(rig, &(struct command){.argv = SHELL(line), .cwd = rig->dir});
    int fd = open(fifo, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, &byte, 1), 1);
    close(fd);
    rig_started(rig, n);
    return n;
}

static void test_stop_leaves_statuses(void **state)
{
    struct rig *rig = *state;
    unsigned term = spawn_ready(rig, "trap 'exit 5' TERM; echo >ready; "
                                     "while :; do sleep 1000 & wait; done");
    unsigned deaf = spawn_ready(rig, "trap '' TERM; echo >ready; while :; do sleep 1000; done");
    unsigned paused = spawn_ready(rig, "echo >ready; kill -STOP $$; exit 1");
    unsigned ended = rig_spawn(rig, &(struct command){.argv = SHELL("exit 2")});
    unsigned failed = rig_spawn(rig, &(struct command){.argv = ARGV("/no/such")});
    assert_exit(rig_end(rig, ended), 2);
    assert_failed(rig_end(rig, failed), SPAWN_STEP_EXEC, ENOENT);
    uint32_t pid = rig_started(rig, term)->started.pid;
    struct record before = rig->hello;
    rig_drop(rig);
    assert_int_equal(rig_stop(rig), 0);
    assert_false(exists(rig, "spawner.sock"));
    assert_true(exists(rig, "exits"));

    rig_start(rig, NULL);
    rig->instance[3] ^= 1; /* another instance is not barred, and sees nothing */
    rig_connect(rig);
    assert_true(rig->listed);
    assert_int_equal(rig->nlog, 0);
    rig_drop(rig);
    assert_int_equal(rig_stop(rig), 0); /* and the file survives a spawner without use for it */

    rig->instance[3] ^= 1;
    rig_start(rig, NULL);
    rig_connect(rig);
    assert_memory_not_equal(rig->hello.welcome.spawner_id, before.welcome.spawner_id,
                            RECORD_UUID_BYTES);
    assert_int_equal(rig->nlog, 10);
    assert_exit(rig_end(rig, term), 5);
    assert_int_equal(rig_started(rig, term)->started.pid, pid);
    assert_killed(rig_end(rig, deaf), SIGKILL);
    assert_killed(rig_end(rig, paused), SIGTERM);
    assert_exit(rig_end(rig, ended), 2);
    assert_failed(rig_end(rig, failed), SPAWN_STEP_EXEC, ENOENT);
    rig_signal(rig, term, SIGKILL); /* to nobody: the pid is another's by now */

    rig_release(rig, deaf);
    rig_release(rig, paused);
    rig_release(rig, ended);
    rig_release(rig, failed);
    rig_list(rig);
    assert_true(exists(rig, "exits"));
    rig_release(rig, term);
    rig_list(rig);
    assert_int_equal(rig->nlog, 0);
    assert_false(exists(rig, "exits"));
}

static void test_state_dir(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(mkdir(rig_file(rig, "state"), 0700), 0);
    rig_start(rig, ARGV("--state-dir", rig_file(rig, "state")));
    rig_connect(rig);
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = ARGV("true")})), 0);
    assert_int_equal(rig_stop(rig), 0);
    assert_true(exists(rig, "state/exits"));
    assert_false(exists(rig, "exits"));
}

static void test_bad_exits_file(void **state)
{
    struct rig *rig = *state;
    rig_write(rig_file(rig, "exits"), "not written by a spawner", 0600);
    rig_start(rig, NULL);
    rig_connect(rig);
    assert_int_equal(rig->nlog, 0);
    assert_string_equal(rig_read(rig_file(rig, "exits.bad")), "not written by a spawner");
    assert_non_null(strstr(rig_read(rig_file(rig, "stderr")), "kept as exits.bad"));
    assert_false(exists(rig, "exits"));
}

/* ---- readiness ---- */

static int notify_open(struct rig *rig)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = RIG_DEADLINE_MS / 1000};
    rig->notify = rig_file(rig, "notify");
    snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", rig->notify);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static void assert_notified(int fd, const char *text)
{
    char got[64] = "";
    assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
    assert_string_equal(got, text);
}

/* While it waits for a command to end it starts none: the attempt may go to the next spawner.
 */
static void test_notifies_and_starts_nothing_while_stopping(void **state)
{
    struct rig *rig = *state;
    int fd = notify_open(rig);
    rig_start(rig, ARGV("--grace", "600000"));
    assert_notified(fd, "READY=1");
    rig_connect(rig);
    unsigned deaf = spawn_ready(rig, "trap '' TERM; echo >ready; while :; do sleep 1000; done");
    kill(rig->pid, SIGTERM);
    assert_notified(fd, "STOPPING=1");
    unsigned late = rig_spawn(rig, &(struct command){.argv = ARGV("true")});
    assert_failed(rig_end(rig, late), SPAWN_STEP_FORK, ESHUTDOWN);
    assert_null(rig_find(rig, deaf, RECORD_EXITED));
    kill(rig->pid, SIGINT); /* a second signal: no more patience */
    assert_killed(rig_end(rig, deaf), SIGKILL);
    assert_int_equal(rig_wait(rig), 0);
    close(fd);
}

static void test_closed_standard_descriptors(void **state)
{
    struct rig *rig = *state;
    rig->close_std = true;
    rig_start(rig, NULL);
    rig_connect(rig);
    unsigned n = rig_spawn(rig, &(struct command){.argv = ARGV(SPAWNER_PROBE, "fds")});
    assert_exit(rig_end(rig, n), 0);
    assert_string_equal(rig_out(rig, n), "fd 0\nfd 1\nfd 2\n");
}

static void test_wrong_usage(void **state)
{
    struct rig *rig = *state;
    char text[512];
    assert_int_equal(rig_run(rig, ARGV("--grace", "soon"), text, sizeof(text)), 2);
    assert_non_null(strstr(text, "--grace"));
    assert_int_equal(rig_run(rig, ARGV("--peer-uid", "4294967295"), text, sizeof(text)), 2);
    assert_int_equal(rig_run(rig, ARGV("--peer-uid", "nobody-here"), text, sizeof(text)), 2);
    assert_int_equal(rig_run(rig, ARGV("--ready-fd", "2"), text, sizeof(text)), 2);
    assert_int_equal(rig_run(rig, ARGV("word"), text, sizeof(text)), 2);
    assert_int_equal(rig_run(rig, ARGV("--state-dir", "/no/such"), text, sizeof(text)), 1);
    assert_int_equal(rig_run(rig, ARGV("--version"), text, sizeof(text)), 0);
}

/* ---- one a path ---- */

static void test_lock(void **state)
{
    struct rig *rig = *state;
    char text[512];
    char pid[32];
    rig_start(rig, NULL);
    rig_connect(rig);
    assert_int_equal(rig_run(rig, NULL, text, sizeof(text)), 3);
    snprintf(pid, sizeof(pid), "process %d", rig->pid);
    assert_non_null(strstr(text, pid));
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = ARGV("true")})), 0);
    struct stat st;
    assert_int_equal(stat(rig->socket, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_no_socket_in_its_place(void **state)
{
    struct rig *rig = *state;
    char text[512];
    rig_write(rig->socket, "precious", 0600);
    assert_int_equal(rig_run(rig, NULL, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "no socket"));
    assert_string_equal(rig_read(rig->socket), "precious");
}

/* A child that hangs before exec keeps neither the connection nor the lock of a dead spawner.
 */
static void test_killed_spawner(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(mkfifo(rig_file(rig, "fifo"), 0644), 0);
    rig_start(rig, NULL);
    rig_connect(rig);
    unsigned n =
        rig_spawn(rig, &(struct command){.argv = ARGV("cat"), .input = rig_file(rig, "fifo")});
    pid_t pid = (pid_t)rig_started(rig, n)->started.pid;
    rig_kill(rig);
    assert_true(rig_until(rig, rig_is_lost, NULL));
    assert_true(exists(rig, "spawner.sock"));
    rig_start(rig, NULL); /* takes the lock and the stale socket's place */
    rig_connect(rig);
    assert_true(rig->listed);
    assert_int_equal(rig->nlog, 0);
    kill(pid, SIGKILL);
}

static void test_long_path(void **state)
{
    struct rig *rig = *state;
    char name[130];
    memset(name, 'd', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(mkdir(rig_file(rig, name), 0755), 0);
    snprintf(rig->socket, sizeof(rig->socket), "%.400s/s", rig_file(rig, name));
    rig_start(rig, NULL);
    rig_connect(rig);
    assert_true(rig->listed);
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = ARGV("true")})), 0);
}

/* ---- idleness ---- */

static bool spawner_ends_within(const struct rig *rig, int ms)
{
    struct pollfd p = {.fd = rig->pidfd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

static void test_exit_when_idle(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(mkfifo(rig_file(rig, "fifo"), 0644), 0);
    rig_start(rig, ARGV("--exit-when-idle"));
    rig_connect(rig);
    unsigned n =
        rig_spawn(rig, &(struct command){.argv = ARGV("cat"), .input = rig_file(rig, "fifo")});
    rig_started(rig, n);
    rig_drop(rig);
    assert_false(spawner_ends_within(rig, 1300)); /* it has a child */
    rig_connect(rig);
    close(open(rig_file(rig, "fifo"), O_WRONLY | O_CLOEXEC));
    assert_exit(rig_end(rig, n), 0);
    rig_release(rig, n);
    rig_list(rig);
    rig_drop(rig);
    uint64_t from = clock_awake();
    assert_true(spawner_ends_within(rig, RIG_DEADLINE_MS));
    assert_true(clock_awake() - from < 8 * NSEC_PER_SEC);
    assert_int_equal(rig_wait(rig), 0);
    assert_false(exists(rig, "spawner.sock"));
    assert_false(exists(rig, "exits"));
}

static void test_memory(void **state)
{
    struct rig *rig = *state;
    char path[64];
    if (RIG_SANITIZED)
        skip();
    rig_start(rig, NULL);
    rig_connect(rig);
    for (int i = 0; i < 100; i++) {
        unsigned n = rig_spawn(rig, &(struct command){.argv = ARGV("true")});
        assert_exit(rig_end(rig, n), 0);
        rig_release(rig, n);
    }
    snprintf(path, sizeof(path), "/proc/%d/status", rig->pid);
    const char *rss = strstr(rig_read(path), "VmRSS:");
    assert_non_null(rss);
    assert_in_range(atoi(rss + 6), 1, 2047); /* KiB */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stop_leaves_statuses, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_state_dir, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad_exits_file, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_notifies_and_starts_nothing_while_stopping,
                                        rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_closed_standard_descriptors, rig_setup_bare,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_usage, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_lock, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_no_socket_in_its_place, rig_setup_bare,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_killed_spawner, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_long_path, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_exit_when_idle, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_memory, rig_setup_bare, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
