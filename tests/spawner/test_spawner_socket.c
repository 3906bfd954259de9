/* SPDX-License-Identifier: MIT */
/*
 * test_spawner_socket - a socket that somebody removes under a living spawner, alone or with its
 * lock and its directory: it is made again, and never in anybody else's place.
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
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rig.h"

enum { USER = 65534 };

/* Looks every 5 ms: nobody tells of a file. */
static void wait_until(bool (*condition)(const struct rig *rig), const struct rig *rig)
{
    uint64_t ends = clock_awake() + RIG_DEADLINE_MS * NSEC_PER_MSEC;
    while (!condition(rig)) {
        assert_true(clock_awake() < ends);
        poll(NULL, 0, 5);
    }
}

static bool is_served(const struct rig *rig)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", rig->socket);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool served = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0;
    close(fd);
    return served;
}

/* A new file in the place of the one that was there. */
static void assert_renewed(const struct rig *rig, const struct stat *before)
{
    struct stat st;
    assert_int_equal(stat(rig->socket, &st), 0);
    assert_int_equal(st.st_mode, before->st_mode);
    assert_int_equal(st.st_uid, before->st_uid);
}

static unsigned says(const struct rig *rig, const char *text)
{
    unsigned n = 0;
    for (const char *at = rig_read(rig_file(rig, "stderr")); (at = strstr(at, text)); at++)
        n++;
    return n;
}

static bool says_cannot(const struct rig *rig)
{
    return says(rig, "cannot be made again") > 0;
}

static bool says_made(const struct rig *rig)
{
    return says(rig, "made it again") > 0;
}

static unsigned spawn_running(struct rig *rig)
{
    unsigned n = rig_spawn(rig, &(struct command){.argv = ARGV("sleep", "1000")});
    rig_started(rig, n);
    return n;
}

static void assert_knows(struct rig *rig, unsigned n)
{
    rig_connect(rig);
    assert_true(rig->listed);
    assert_int_equal(rig->hello.welcome.pid, rig->pid);
    assert_non_null(rig_find(rig, n, RECORD_STARTED));
}

static void test_removed(void **state)
{
    struct rig *rig = *state;
    struct stat before;
    unsigned n = spawn_running(rig);
    assert_int_equal(stat(rig->socket, &before), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(unlink(rig->socket), 0);
        wait_until(is_served, rig);
        assert_renewed(rig, &before);
        assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = ARGV("true")})), 0);
    }
    rig_drop(rig);
    assert_knows(rig, n);
    assert_true(says_made(rig));
    assert_int_equal(rig_stop(rig), 0);
    assert_int_equal(access(rig->socket, F_OK), -1);
}

static void use_subdirectory(struct rig *rig)
{
    assert_int_equal(mkdir(rig_file(rig, "sub"), 0700), 0);
    assert_int_equal(chmod(rig_file(rig, "sub"), 0751), 0);
    snprintf(rig->socket, sizeof(rig->socket), "%.400s/s", rig_file(rig, "sub"));
}

static void remove_subdirectory(const struct rig *rig)
{
    assert_int_equal(unlink(rig->socket), 0);
    assert_int_equal(unlink(rig_file(rig, "sub/s.lock")), 0);
    assert_int_equal(rmdir(rig_file(rig, "sub")), 0);
}

/* With its lock, and with the place for what it leaves. */
static void test_directory_removed(void **state)
{
    struct rig *rig = *state;
    char text[512];
    struct stat st;
    use_subdirectory(rig);
    rig_start(rig, NULL);
    rig_connect(rig);
    unsigned n = spawn_running(rig);
    remove_subdirectory(rig);
    wait_until(is_served, rig);
    assert_int_equal(stat(rig_file(rig, "sub"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0751);
    rig_drop(rig);
    assert_knows(rig, n);
    assert_int_equal(rig_run(rig, NULL, text, sizeof(text)), 3);
    rig_drop(rig);
    assert_int_equal(rig_stop(rig), 0);
    assert_int_equal(access(rig_file(rig, "sub/exits"), F_OK), 0);
    rig_start(rig, NULL);
    rig_connect(rig);
    assert_killed(rig_end(rig, n), SIGTERM);
}

/* The state of its instance was there too: another one is served, the commands of the first are
 * left alone and are nobody's. */
static void test_instance_removed(void **state)
{
    struct rig *rig = *state;
    use_subdirectory(rig);
    rig_start(rig, ARGV("--exit-when-idle"));
    rig_connect(rig);
    unsigned n = spawn_running(rig);
    unsigned ended = rig_spawn(rig, &(struct command){.argv = ARGV("true")});
    assert_exit(rig_end(rig, ended), 0);
    pid_t pid = (pid_t)rig_started(rig, n)->started.pid;
    rig_drop(rig);
    rig->instance[0] ^= 1;
    rig_connect(rig);
    assert_int_equal(rig->why.code, -EBUSY); /* while the state is there */
    remove_subdirectory(rig);
    wait_until(is_served, rig);
    rig_connect(rig);
    assert_true(rig->listed);
    assert_int_equal(rig->nlog, 0);
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = SHELL("exit 4")})), 4);
    assert_int_equal(kill(pid, SIGTERM), 0);
    rig_release(rig, rig->next);
    rig_list(rig);
    assert_int_equal(rig->nlog, 0);
    rig_drop(rig);
    assert_int_equal(rig_wait(rig), 0); /* nothing is left */
    assert_int_equal(access(rig_file(rig, "sub/exits"), F_OK), -1);
}

/* Nothing is made for a spawner that has nothing to do and is about to end. */
static void test_directory_of_an_idle_one(void **state)
{
    struct rig *rig = *state;
    use_subdirectory(rig);
    rig_start(rig, ARGV("--exit-when-idle"));
    rig_connect(rig);
    rig_drop(rig);
    remove_subdirectory(rig);
    assert_int_equal(rig_wait(rig), 0);
    assert_int_equal(access(rig_file(rig, "sub"), F_OK), -1);
}

static void test_moved_away_and_back(void **state)
{
    struct rig *rig = *state;
    struct stat before, st;
    unsigned n = spawn_running(rig);
    assert_int_equal(stat(rig->socket, &before), 0);
    kill(rig->pid, SIGSTOP);
    assert_int_equal(rename(rig->socket, rig_file(rig, "away")), 0);
    assert_int_equal(rename(rig_file(rig, "away"), rig->socket), 0);
    kill(rig->pid, SIGCONT);
    rig_drop(rig);
    assert_knows(rig, n);
    assert_int_equal(stat(rig->socket, &st), 0);
    assert_int_equal(st.st_ino, before.st_ino);
    assert_int_equal(rename(rig->socket, rig_file(rig, "away")), 0);
    wait_until(is_served, rig);
    rig_drop(rig);
    assert_knows(rig, n);
}

/* What is no socket is left alone, which is said once. */
static void test_something_in_its_place(void **state)
{
    struct rig *rig = *state;
    unsigned n = spawn_running(rig);
    rig_write(rig_file(rig, "file"), "precious", 0600);
    assert_int_equal(rename(rig_file(rig, "file"), rig->socket), 0);
    wait_until(says_cannot, rig);
    assert_string_equal(rig_read(rig->socket), "precious");
    assert_int_equal(unlink(rig->socket), 0);
    wait_until(is_served, rig);
    assert_int_equal(says(rig, "cannot be made again"), 1);
    rig_drop(rig);
    assert_knows(rig, n);
}

/* The directory is not to be written to: said once, tried again. */
static void test_unwritable(void **state)
{
    struct rig *rig = *state;
    rig->uid = USER;
    assert_int_equal(chmod(rig->dir, 0777), 0);
    use_subdirectory(rig);
    assert_int_equal(chown(rig_file(rig, "sub"), USER, USER), 0);
    rig_start(rig, NULL);
    assert_int_equal(chmod(rig_file(rig, "sub"), 0500), 0);
    assert_int_equal(unlink(rig->socket), 0);
    wait_until(says_cannot, rig);
    assert_int_equal(chmod(rig_file(rig, "sub"), 0700), 0);
    wait_until(is_served, rig);
    assert_int_equal(says(rig, "cannot be made again"), 1);
    wait_until(says_made, rig);
}

/* Somebody removed the lock too, and the next aiod was faster. */
static void test_another_has_the_path(void **state)
{
    struct rig *rig = *state;
    unsigned n = spawn_running(rig);
    rig_drop(rig);
    struct rig other = *rig;
    kill(rig->pid, SIGSTOP);
    assert_int_equal(unlink(rig->socket), 0);
    assert_int_equal(unlink(rig_file(rig, "spawner.sock.lock")), 0);
    rig_start(&other, ARGV("--exit-when-idle"));
    kill(rig->pid, SIGCONT);
    wait_until(says_cannot, rig);
    assert_int_equal(says(rig, "is served by another aiod-spawner"), 1);
    rig_connect(rig);
    assert_int_equal(rig->hello.welcome.pid, other.pid);
    assert_null(rig_find(rig, n, RECORD_STARTED));
    rig_drop(rig);
    assert_int_equal(rig_stop(&other), 0);
    wait_until(is_served, rig);
    assert_knows(rig, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_removed, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_directory_removed, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_instance_removed, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_directory_of_an_idle_one, rig_setup_bare,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_moved_away_and_back, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_something_in_its_place, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_another_has_the_path, rig_setup, rig_teardown),
    };
    const struct CMUnitTest as_root[] = {
        cmocka_unit_test_setup_teardown(test_unwritable, rig_setup_bare, rig_teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (geteuid() != 0)
        fprintf(stderr, "test_spawner_socket: test_unwritable SKIPPED, needs root\n");
    else
        failed += cmocka_run_group_tests(as_root, NULL, NULL);
    return failed;
}
