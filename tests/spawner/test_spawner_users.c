/* SPDX-License-Identifier: MIT */
/*
 * test_spawner_users - whose commands run as whom. Needs root; skipped aloud without.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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

#include "rig.h"

enum { USER = 65534, DAEMON = 12345, OTHER = 12346 };

static void test_runs_as_the_user(void **state)
{
    struct rig *rig = *state;
    struct command c = {.argv = SHELL("id -u; id -g; id -G; echo more >>/dev/stderr; "
                                      "grep NoNewPrivs /proc/self/status"),
                        .groups = (const uint32_t[]){USER, 4001, 4002},
                        .ngroups = 3,
                        .become = true,
                        .uid = USER,
                        .gid = 4000};
    unsigned n = rig_spawn(rig, &c);
    assert_exit(rig_end(rig, n), 0);
    assert_string_equal(rig_out(rig, n),
                        "65534\n4000\n4000 4001 4002 65534\nmore\nNoNewPrivs:\t0\n");
    struct stat st;
    char name[32];
    snprintf(name, sizeof(name), "out.%u", n);
    assert_int_equal(stat(rig_file(rig, name), &st), 0);
    assert_int_equal(st.st_uid, USER);
    assert_int_equal(st.st_gid, getegid()); /* aiod's group, so that aiod can read it again */
}

/* Access to the directory and the input is the user's, not root's. */
static void test_access_is_the_users(void **state)
{
    struct rig *rig = *state;
    struct command c = {.argv = ARGV("true"), .become = true, .uid = USER, .gid = USER};
    assert_int_equal(mkdir(rig_file(rig, "private"), 0700), 0);
    rig_write(rig_file(rig, "secret"), "secret", 0600);
    c.cwd = rig_file(rig, "private");
    assert_failed(rig_end(rig, rig_spawn(rig, &c)), SPAWN_STEP_CHDIR, EACCES);
    c.cwd = "/";
    c.input = rig_file(rig, "secret");
    assert_failed(rig_end(rig, rig_spawn(rig, &c)), SPAWN_STEP_STDIN, EACCES);
}

static void test_denied_ids(void **state)
{
    struct rig *rig = *state;
    struct command c = {.argv = ARGV("true"), .become = true, .uid = UINT32_MAX, .gid = USER};
    assert_failed(rig_end(rig, rig_spawn(rig, &c)), SPAWN_STEP_DENIED, EPERM);
    c.uid = USER;
    c.gid = UINT32_MAX;
    assert_failed(rig_end(rig, rig_spawn(rig, &c)), SPAWN_STEP_DENIED, EPERM);
    c.gid = USER;
    c.groups = (const uint32_t[]){UINT32_MAX};
    c.ngroups = 1;
    assert_failed(rig_end(rig, rig_spawn(rig, &c)), SPAWN_STEP_USER, EINVAL);
}

/* ---- an aiod that is not root: what follows runs in a process of that user ---- */

typedef void scenario_fn(struct rig *rig);

static const struct record *failed_or_exited(struct rig *rig, const struct command *c)
{
    return rig_end(rig, rig_spawn(rig, c));
}

/* cmocka's assertions would unwind into the parent's tests: here a failure ends the process. */
static void expect(bool ok, int line)
{
    if (ok)
        return;
    fprintf(stderr, "test_spawner_users.c:%d: expectation failed\n", line);
    _exit(1);
}
#define EXPECT(condition) expect((condition), __LINE__)

static void run_scenario(struct rig *rig, uid_t uid, scenario_fn *fn)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        EXPECT(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
               setresuid(uid, uid, uid) == 0);
        fn(rig);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void scenario_connect(struct rig *rig)
{
    struct err err = ERR_INIT;
    rig->welcome = rig->listed = rig->lost = false;
    if (spawner_client_connect(&rig->client, rig->socket, rig->instance, &err) < 0)
        fprintf(stderr, "%s\n", err.msg);
    EXPECT(rig->client.fd >= 0);
}

static bool is_failed(const struct record *rec, enum spawn_step step, int err)
{
    return rec->type == RECORD_FAILED && rec->failed.step == (int)step &&
           rec->failed.err == err;
}

static bool is_exit(const struct record *rec, int status)
{
    return rec->type == RECORD_EXITED && rec->exited.status == status << 8;
}

static uid_t owner(const struct rig *rig, const char *name)
{
    struct stat st;
    return stat(rig_file(rig, name), &st) == 0 ? st.st_uid : (uid_t)-1;
}

/* A file that is open for reading only does not change hands; nor does another user's. */
static const struct record *spawn_with_output(struct rig *rig, const char *name, int flags)
{
    struct spawn_request req;
    struct command c = {.argv = ARGV("true"), .become = true, .uid = USER, .gid = USER};
    unsigned n = ++rig->next;
    rig_request(rig, &req, n, &c);
    close(req.out_fd);
    req.out_fd = open(rig_file(rig, name), flags | O_CLOEXEC, 0640);
    EXPECT(req.out_fd >= 0);
    EXPECT(spawner_client_spawn(&rig->client, &req) == 0);
    return rig_end(rig, n);
}

static void scenario_daemon(struct rig *rig)
{
    struct command c = {.argv = ARGV("true"), .become = true, .uid = DAEMON, .gid = DAEMON};
    scenario_connect(rig);
    EXPECT(is_failed(failed_or_exited(rig, &c), SPAWN_STEP_DENIED, EPERM));
    c.uid = USER;
    c.argv = SHELL("echo more >>/dev/stdout; id -u");
    unsigned n = rig_spawn(rig, &c);
    EXPECT(is_exit(rig_end(rig, n), 0));
    char name[32];
    snprintf(name, sizeof(name), "out.%u", n);
    EXPECT(owner(rig, name) == USER);

    EXPECT(is_exit(spawn_with_output(rig, "fresh", O_WRONLY | O_CREAT), 0));
    EXPECT(owner(rig, "fresh") == USER);
    close(open(rig_file(rig, "mine"), O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
    EXPECT(is_failed(spawn_with_output(rig, "mine", O_RDONLY), SPAWN_STEP_FDS, EPERM));
    EXPECT(is_failed(spawn_with_output(rig, "mine", O_PATH), SPAWN_STEP_FDS, EPERM));
    EXPECT(owner(rig, "mine") == DAEMON);
    EXPECT(is_exit(spawn_with_output(rig, "roots", O_RDONLY), 0));
    EXPECT(is_exit(spawn_with_output(rig, "roots", O_WRONLY), 0));
    EXPECT(owner(rig, "roots") == 0);
}

static void test_peer_uid(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, ARGV("--peer-uid", "12345"));
    struct stat st;
    assert_int_equal(stat(rig->socket, &st), 0);
    assert_int_equal(st.st_uid, DAEMON);
    assert_int_equal(st.st_mode & 07777, 0600);
    rig_connect(rig); /* root may connect, and is told why it is not served */
    assert_true(rig->lost);
    assert_int_equal(rig->why.code, -EPERM);
    rig_write(rig_file(rig, "roots"), "", 0666);
    assert_int_equal(chmod(rig->dir, 0777), 0);
    run_scenario(rig, DAEMON, scenario_daemon);
}

static void scenario_user(struct rig *rig)
{
    struct command c = {.argv = ARGV("id", "-u"), .become = true, .uid = 0, .gid = 0};
    scenario_connect(rig);
    EXPECT(is_failed(failed_or_exited(rig, &c), SPAWN_STEP_DENIED, EPERM));
    c.uid = OTHER;
    EXPECT(is_failed(failed_or_exited(rig, &c), SPAWN_STEP_DENIED, EPERM));
    c.uid = USER;
    c.gid = USER;
    unsigned n = rig_spawn(rig, &c);
    EXPECT(is_exit(rig_end(rig, n), 0));
    EXPECT(strcmp(rig_out(rig, n), "65534\n") == 0);
}

/* A spawner that is not root runs nothing as anybody else, and nobody else may connect. */
static void test_spawner_of_a_user(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;
    rig->uid = USER;
    assert_int_equal(chmod(rig->dir, 0777), 0);
    rig_start(rig, NULL);
    assert_int_equal(spawner_client_connect(&rig->client, rig->socket, rig->instance, &err),
                     -EPERM);
    run_scenario(rig, USER, scenario_user);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_runs_as_the_user, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_access_is_the_users, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_denied_ids, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_peer_uid, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_spawner_of_a_user, rig_setup_bare, rig_teardown),
    };
    if (geteuid() != 0) {
        fprintf(stderr, "test_spawner_users: SKIPPED, needs root\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
