/* SPDX-License-Identifier: MIT */
/*
 * test_spawner_grace - a command that ends on SIGTERM and leaves somebody in its group who does
 * not: that one is there until the grace is over, and no longer.
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rig.h"

enum { LONG_MS = 600000 };

/* The member of the group that ignores SIGTERM holds a FIFO open: its end is its end. */
struct deaf {
    unsigned n;
    int fd;
};

/* Behind a shell that exits with 5 on SIGTERM. */
static struct deaf spawn_deaf(struct rig *rig)
{
    static const char line[] =
        "exec 3>fifo; (trap '' TERM; echo up >&3; exec sleep 1000) & exec 3>&-; "
        "trap 'exit 5' TERM; echo up >up; wait";
    char byte[4];
    struct deaf d;
    unlink(rig_file(rig, "fifo"));
    unlink(rig_file(rig, "up"));
    assert_int_equal(mkfifo(rig_file(rig, "fifo"), 0600), 0);
    assert_int_equal(mkfifo(rig_file(rig, "up"), 0600), 0);
    d.n = rig_spawn(rig, &(struct command){.argv = SHELL(line), .cwd = rig->dir});
    d.fd = open(rig_file(rig, "fifo"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(d.fd, byte, sizeof(byte)), 3);
    int up = open(rig_file(rig, "up"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(up, byte, sizeof(byte)), 3);
    close(up);
    return d;
}

static void terminate(struct rig *rig, const struct deaf *d, uint32_t grace_ms)
{
    uint8_t token[RECORD_TOKEN_BYTES];
    rig_token(token, d->n);
    assert_int_equal(spawner_client_signal(&rig->client, token, SIGTERM, grace_ms), 0);
}

static bool deaf_lives(const struct deaf *d)
{
    struct pollfd p = {.fd = d->fd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

static void deaf_ends(struct deaf *d)
{
    struct pollfd p = {.fd = d->fd, .events = POLLIN};
    char byte;
    assert_int_equal(poll(&p, 1, RIG_DEADLINE_MS), 1);
    assert_int_equal(read(d->fd, &byte, 1), 0);
    close(d->fd);
}

/* The outcome is told at once, release or not; then comes SIGKILL. */
static void test_killed_after_the_grace(void **state)
{
    struct rig *rig = *state;
    struct deaf kept = spawn_deaf(rig);
    terminate(rig, &kept, 300);
    assert_exit(rig_end(rig, kept.n), 5);
    deaf_ends(&kept);
    struct deaf released = spawn_deaf(rig);
    terminate(rig, &released, 300);
    assert_exit(rig_end(rig, released.n), 5);
    rig_release(rig, released.n);
    deaf_ends(&released);
    rig_list(rig);
    assert_int_equal(rig->nlog, 2); /* STARTED and EXITED of the one that is kept */
    rig_release(rig, kept.n);
}

static void test_lives_until_the_grace_is_over(void **state)
{
    struct rig *rig = *state;
    struct deaf d = spawn_deaf(rig);
    pid_t pid = (pid_t)rig_started(rig, d.n)->started.pid;
    terminate(rig, &d, LONG_MS);
    assert_exit(rig_end(rig, d.n), 5);
    rig_release(rig, d.n);
    rig_list(rig);
    assert_int_equal(rig->nlog, 0); /* forgotten, */
    assert_true(deaf_lives(&d));
    assert_int_equal(kill(pid, 0), 0); /* but its number is still its own */
    terminate(rig, &d, LONG_MS);       /* no longer grace by asking again, */
    terminate(rig, &d, 200);           /* a shorter one is */
    deaf_ends(&d);
}

static void wait_reaped(struct rig *rig, pid_t pid)
{
    uint64_t ends = clock_awake() + RIG_DEADLINE_MS * NSEC_PER_MSEC;
    while (kill(pid, 0) == 0 && clock_awake() < ends)
        rig_list(rig);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* No zombie stays for the sake of a group in which nobody is. */
static void test_nobody_left(void **state)
{
    struct rig *rig = *state;
    struct deaf d = spawn_deaf(rig);
    pid_t group = (pid_t)rig_started(rig, d.n)->started.pid;
    unsigned n = rig_spawn(rig, &(struct command){.argv = ARGV("sleep", "1000")});
    pid_t pid = (pid_t)rig_started(rig, n)->started.pid;
    terminate(rig, &d, LONG_MS);
    terminate(rig, &(struct deaf){.n = n}, LONG_MS);
    assert_exit(rig_end(rig, d.n), 5);
    assert_killed(rig_end(rig, n), SIGTERM);
    rig_release(rig, d.n);
    rig_release(rig, n);
    wait_reaped(rig, pid);
    assert_true(deaf_lives(&d));
    assert_int_equal(kill(-group, SIGHUP), 0); /* the last one goes by itself */
    deaf_ends(&d);
    wait_reaped(rig, group);
}

static void test_sigkill_ends_the_wait(void **state)
{
    struct rig *rig = *state;
    struct deaf d = spawn_deaf(rig);
    pid_t pid = (pid_t)rig_started(rig, d.n)->started.pid;
    terminate(rig, &d, LONG_MS);
    assert_exit(rig_end(rig, d.n), 5);
    rig_release(rig, d.n);
    rig_signal(rig, d.n, SIGKILL);
    deaf_ends(&d);
    rig_list(rig);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* A leader that does not end gets it too, without anybody's asking again. */
static void test_deaf_leader(void **state)
{
    struct rig *rig = *state;
    uint8_t token[RECORD_TOKEN_BYTES];
    char byte[4];
    assert_int_equal(mkfifo(rig_file(rig, "fifo"), 0600), 0);
    unsigned n = rig_spawn(
        rig, &(struct command){.argv = SHELL("trap '' TERM; echo up >fifo; exec sleep 1000"),
                               .cwd = rig->dir});
    int fd = open(rig_file(rig, "fifo"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, byte, sizeof(byte)), 3);
    close(fd);
    rig_token(token, n);
    assert_int_equal(spawner_client_signal(&rig->client, token, SIGTERM, 200), 0);
    assert_killed(rig_end(rig, n), SIGKILL);
}

/* Nobody was asked to end: what a command leaves in the background is left alone. */
static void test_nothing_without_sigterm(void **state)
{
    struct rig *rig = *state;
    char byte[4];
    assert_int_equal(mkfifo(rig_file(rig, "fifo"), 0600), 0);
    unsigned n = rig_spawn(
        rig, &(struct command){.argv = SHELL("exec 3>fifo; sleep 1000 & echo up >&3; exit 4"),
                               .cwd = rig->dir});
    struct deaf d = {.n = n, .fd = open(rig_file(rig, "fifo"), O_RDONLY | O_CLOEXEC)};
    assert_int_equal(read(d.fd, byte, sizeof(byte)), 3);
    assert_exit(rig_end(rig, n), 4);
    assert_true(deaf_lives(&d));
    rig_signal(rig, n, SIGKILL); /* before its release the group can still be reached */
    deaf_ends(&d);
    rig_release(rig, n);
}

/* A spawner that is stopped leaves nobody behind whom it has asked to end. */
static void test_stop(void **state)
{
    struct rig *rig = *state;
    struct deaf by_aiod = spawn_deaf(rig);
    terminate(rig, &by_aiod, LONG_MS);
    assert_exit(rig_end(rig, by_aiod.n), 5);
    rig_release(rig, by_aiod.n);
    struct deaf by_stop = spawn_deaf(rig);
    assert_true(deaf_lives(&by_aiod));
    assert_int_equal(rig_stop(rig), 0);
    deaf_ends(&by_aiod);
    deaf_ends(&by_stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_after_the_grace, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_lives_until_the_grace_is_over, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_nobody_left, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_sigkill_ends_the_wait, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_deaf_leader, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_without_sigterm, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_stop, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
