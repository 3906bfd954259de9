/* SPDX-License-Identifier: MIT */
/*
 * test_spawner_users - whose commands run as whom. Needs root; skipped aloud without.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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

/* cmocka's assertions would unwind into the parent's tests: here a failure ends the process. */
static void expect(bool ok, int line)
{
    if (ok)
        return;
    fprintf(stderr, "test_spawner_users.c:%d: expectation failed\n", line);
    _exit(1);
}
#define EXPECT(condition) expect((condition), __LINE__)

/* ---- keyrings ---- */

/* The probe where any user may execute it: the build may be below root's home. */
static const char *probe_of(struct rig *rig)
{
    static char path[RIG_PATH];
    snprintf(path, sizeof(path), "%s", rig_file(rig, "probe"));
    int from = open(SPAWNER_PROBE, O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (to >= 0) {
        while (sendfile(to, from, NULL, 1 << 20) > 0)
            ;
        assert_int_equal(fchmod(to, 0755), 0);
        close(to);
    }
    close(from);
    return path;
}

static long keyring_of(struct rig *rig, uid_t uid)
{
    struct command c = {
        .argv = ARGV(probe_of(rig), "keyring"), .become = true, .uid = uid, .gid = uid};
    char owner[32];
    unsigned n = rig_spawn(rig, &c);
    assert_exit(rig_end(rig, n), 0);
    snprintf(owner, sizeof(owner), " keyring;%u;", uid);
    const char *text = rig_out(rig, n);
    if (*text)
        assert_non_null(strstr(text, owner));
    return atol(text);
}

static bool have_keyrings(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0;
}

static void test_keyring_of_its_own(void **state)
{
    struct rig *rig = *state;
    if (!have_keyrings())
        skip();
    long ours = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
    long first = keyring_of(rig, USER);
    long second = keyring_of(rig, USER);
    long other = keyring_of(rig, OTHER);
    assert_true(first > 0 && second > 0 && other > 0);
    assert_true(first != second && first != other && second != other);
    assert_true(first != ours && second != ours && other != ours);
}

/* More commands than a user may have keyrings (200). */
static void test_more_than_keyrings(void **state)
{
    enum { MANY = 230 };
    struct rig *rig = *state;
    char fifo[RIG_PATH];
    snprintf(fifo, sizeof(fifo), "%s", rig_file(rig, "fifo"));
    assert_int_equal(mkfifo(fifo, 0666), 0);
    int fd = open(fifo, O_RDWR | O_CLOEXEC);
    struct command c = {
        .argv = ARGV("cat"), .input = fifo, .become = true, .uid = OTHER, .gid = OTHER};
    unsigned first = rig->next + 1;
    for (int i = 0; i < MANY; i++)
        rig_spawn(rig, &c);
    for (unsigned i = 0; i < MANY; i++)
        rig_started(rig, first + i);
    c.input = NULL;
    assert_exit(rig_end(rig, rig_spawn(rig, &c)), 0);
    close(fd);
    for (unsigned i = 0; i < MANY; i++) {
        while (!rig_find(rig, first + i, RECORD_EXITED)) {
            assert_null(rig_find(rig, first + i, RECORD_FAILED));
            close(open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC)); /* or of nothing: EBADF */
            assert_exit(rig_end(rig, rig_spawn(rig, &c)), 0);
        }
        assert_exit(rig_end(rig, first + i), 0);
    }
}

/* ---- a command that hangs before it is executed is its user's, its memory is not ---- */

static void wait_for_line(struct rig *rig, pid_t pid, const char *line)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    while (!strstr(rig_read(path), line)) {
        assert_int_equal(kill(pid, 0), 0);
        rig_list(rig);
    }
}

static void hostile_user(pid_t pid)
{
    static const char *const files[] = {"mem", "environ", "maps", "auxv", "stack"};
    char path[64];
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
        EXPECT(open(path, O_RDONLY | O_CLOEXEC) < 0);
        EXPECT(open(path, O_RDWR | O_CLOEXEC) < 0);
    }
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    EXPECT(open(path, O_RDONLY | O_CLOEXEC) < 0);
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    EXPECT(process_vm_readv(pid, &iov, 1, &iov, 1, 0) < 0 && errno == EPERM);
    EXPECT(process_vm_writev(pid, &iov, 1, &iov, 1, 0) < 0 && errno == EPERM);
    EXPECT(ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 && errno == EPERM);
    EXPECT(ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 && errno == EPERM);
    EXPECT(kill(pid, SIGABRT) == 0);
}

static void test_hanging_command(void **state)
{
    struct rig *rig = *state;
    char fifo[RIG_PATH];
    char ids[64];
    snprintf(fifo, sizeof(fifo), "%s", rig_file(rig, "fifo"));
    assert_int_equal(mkfifo(fifo, 0666), 0);
    struct command c = {
        .argv = ARGV("cat"), .input = fifo, .become = true, .uid = USER, .gid = USER};
    unsigned n = rig_spawn(rig, &c);
    pid_t pid = (pid_t)rig_started(rig, n)->started.pid;
    snprintf(ids, sizeof(ids), "Uid:\t%d\t%d\t%d\t%d\n", USER, USER, USER, USER);
    wait_for_line(rig, pid, ids);
    wait_for_line(rig, pid, "SigBlk:\t0000000000000000\n");

    int status;
    pid_t hostile = fork();
    assert_true(hostile >= 0);
    if (hostile == 0) {
        EXPECT(setgroups(0, NULL) == 0 && setresgid(USER, USER, USER) == 0 &&
               setresuid(USER, USER, USER) == 0);
        prctl(PR_SET_DUMPABLE, 1);
        hostile_user(pid);
        _exit(0);
    }
    assert_int_equal(waitpid(hostile, &status, 0), hostile);
    assert_int_equal(status, 0);
    const struct record *rec = rig_end(rig, n);
    assert_killed(rec, SIGABRT);
    assert_false(WCOREDUMP(rec->exited.status));
    c.input = NULL;
    assert_exit(rig_end(rig, rig_spawn(rig, &c)), 0);
}

/* ---- an aiod that is not root: what follows runs in a process of that user ---- */

typedef void scenario_fn(struct rig *rig);

static const struct record *failed_or_exited(struct rig *rig, const struct command *c)
{
    return rig_end(rig, rig_spawn(rig, c));
}

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
        cmocka_unit_test_setup_teardown(test_keyring_of_its_own, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_more_than_keyrings, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_hanging_command, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_peer_uid, rig_setup_bare, rig_teardown),
        cmocka_unit_test_setup_teardown(test_spawner_of_a_user, rig_setup_bare, rig_teardown),
    };
    if (geteuid() != 0) {
        fprintf(stderr, "test_spawner_users: SKIPPED, needs root\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
