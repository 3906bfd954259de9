/* SPDX-License-Identifier: MIT */
/*
 * test_spawner_link - the connection: reconnecting, refusals, records that must not be, and a
 * peer that does not read.
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

#include "rig.h"

/* ---- a connection without the client library ---- */

static int raw_connect(const struct rig *rig)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = RIG_DEADLINE_MS / 1000};
    snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", rig->socket);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return fd;
}

static ssize_t raw_send(int fd, const void *bytes, size_t size, const int *fds, unsigned nfds)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    memset(&control, 0, sizeof(control));
    if (nfds) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, nfds * sizeof(int));
    }
    return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static void raw_hello(const struct rig *rig, int fd)
{
    struct record rec = {.type = RECORD_HELLO, .version = RECORD_VERSION};
    memcpy(rec.hello.instance, rig->instance, sizeof(rec.hello.instance));
    assert_int_equal(raw_send(fd, &rec, sizeof(rec), NULL, 0), sizeof(rec));
}

static int raw_open(const struct rig *rig)
{
    struct record rec;
    int fd = raw_connect(rig);
    raw_hello(rig, fd);
    assert_int_equal(recv(fd, &rec, sizeof(rec), 0), sizeof(rec));
    assert_int_equal(rec.type, RECORD_WELCOME);
    return fd;
}

static void raw_spawn(int fd, unsigned n, int spec_fd, int out_fd)
{
    struct record rec = {
        .type = RECORD_SPAWN,
        .spawn = {
            .task = n, .attempt = 1, .uid = geteuid(), .gid = getegid(), .flags = SPAWN_MERGE}};
    rig_token(rec.token, n);
    assert_int_equal(raw_send(fd, &rec, sizeof(rec), (int[]){spec_fd, out_fd}, 2), sizeof(rec));
}

/* The spawner has closed it, whatever it said before. */
static void assert_closed(int fd)
{
    struct record rec;
    ssize_t n;
    while ((n = recv(fd, &rec, sizeof(rec), 0)) > 0)
        continue;
    assert_true(n == 0 || errno == ECONNRESET);
    close(fd);
}

/* ---- tests ---- */

static void test_welcome(void **state)
{
    struct rig *rig = *state;
    uint8_t zero[RECORD_UUID_BYTES] = {0};
    assert_true(rig->welcome);
    assert_int_equal(rig->hello.version, RECORD_VERSION);
    assert_int_equal(rig->hello.welcome.pid, rig->pid);
    assert_int_equal(rig->hello.welcome.uid, geteuid());
    assert_memory_not_equal(rig->hello.welcome.spawner_id, zero, sizeof(zero));
}

/* aiod dies, one command ends meanwhile and one goes on: LIST tells. */
static void test_reconnect(void **state)
{
    struct rig *rig = *state;
    struct record before = rig->hello;
    char byte;
    assert_int_equal(mkfifo(rig_file(rig, "fifo"), 0644), 0);
    unsigned runs = rig_spawn(rig, &(struct command){.argv = ARGV("sleep", "1000")});
    unsigned ends = rig_spawn(
        rig, &(struct command){.argv = SHELL("exec 3>fifo; exit 9"), .cwd = rig->dir});
    unsigned fails = rig_spawn(rig, &(struct command){.argv = ARGV("/no/such")});
    uint32_t pid = rig_started(rig, runs)->started.pid;
    uint64_t ticks = rig_started(rig, runs)->started.start_ticks;
    assert_failed(rig_end(rig, fails), SPAWN_STEP_EXEC, ENOENT);
    rig_started(rig, ends);
    rig_drop(rig);
    int fd = open(rig_file(rig, "fifo"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);

    rig_connect(rig);
    assert_memory_equal(rig->hello.welcome.spawner_id, before.welcome.spawner_id,
                        RECORD_UUID_BYTES);
    assert_int_equal(rig_started(rig, runs)->started.pid, pid);
    assert_int_equal(rig_started(rig, runs)->started.start_ticks, ticks);
    assert_null(rig_find(rig, runs, RECORD_EXITED));
    assert_exit(rig_end(rig, ends), 9); /* in the list, or behind it */
    assert_true(rig_find(rig, ends, RECORD_STARTED) < rig_find(rig, ends, RECORD_EXITED));
    assert_failed(rig_end(rig, fails), SPAWN_STEP_EXEC, ENOENT);
    assert_null(rig_find(rig, 77, RECORD_STARTED)); /* unknown: never started */
    rig_signal(rig, runs, SIGKILL);
    assert_killed(rig_end(rig, runs), SIGKILL);

    rig_release(rig, ends);
    rig_release(rig, fails);
    rig_list(rig);
    assert_int_equal(rig->nlog, 2);
    assert_killed(rig_end(rig, runs), SIGKILL);
}

/* It is in no list once it has ended: the second list says when. */
static void test_release_while_it_runs(void **state)
{
    struct rig *rig = *state;
    unsigned n = rig_spawn(rig, &(struct command){.argv = ARGV("sleep", "1000")});
    pid_t pid = (pid_t)rig_started(rig, n)->started.pid;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    rig_release(rig, n);
    rig_list(rig);
    assert_non_null(rig_find(rig, n, RECORD_STARTED));
    rig_signal(rig, n, SIGKILL);
    assert_int_equal(poll(&p, 1, RIG_DEADLINE_MS), 1);
    close(pidfd);
    /* The spawner has seen it when another, later end comes from it. */
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = ARGV("true")})), 0);
    assert_null(rig_find(rig, n, RECORD_EXITED));
    rig_list(rig);
    assert_null(rig_find(rig, n, RECORD_STARTED));
    assert_int_equal(rig->nlog, 2);
}

static void test_duplicate_token(void **state)
{
    struct rig *rig = *state;
    struct spawn_request req;
    struct command c = {.argv = SHELL("echo run; exit 6")};
    unsigned n = rig_spawn(rig, &c);
    assert_exit(rig_end(rig, n), 6);
    uint32_t pid = rig_started(rig, n)->started.pid;
    rig->nlog = 0;
    rig_request(rig, &req, n, &c);
    assert_int_equal(spawner_client_spawn(&rig->client, &req), 0);
    assert_exit(rig_end(rig, n), 6);
    assert_int_equal(rig_started(rig, n)->started.pid, pid);
    assert_int_equal(rig->client.in_flight, 0);
    assert_string_equal(rig_out(rig, n), "run\n");
}

static void test_other_instance(void **state)
{
    struct rig *rig = *state;
    unsigned n = rig_spawn(rig, &(struct command){.argv = ARGV("true")});
    assert_exit(rig_end(rig, n), 0);
    rig_drop(rig);

    rig->instance[0] ^= 1; /* ended, but not released: still the first one's spawner */
    rig_connect(rig);
    assert_true(rig->lost);
    assert_int_equal(rig->why.code, -EBUSY);
    rig->instance[0] ^= 1;
    rig_connect(rig);
    assert_exit(rig_end(rig, n), 0);
    rig_release(rig, n);
    rig_list(rig);
    rig_drop(rig);

    rig->instance[0] ^= 1;
    rig_connect(rig);
    assert_true(rig->listed);
    assert_int_equal(rig->nlog, 0);
}

static void test_wrong_version(void **state)
{
    struct rig *rig = *state;
    struct record rec = {.type = RECORD_HELLO, .version = RECORD_VERSION + 1};
    int fd = raw_connect(rig);
    raw_send(fd, &rec, sizeof(rec), NULL, 0);
    assert_int_equal(recv(fd, &rec, sizeof(rec), 0), sizeof(rec));
    assert_int_equal(rec.type, RECORD_REFUSED);
    assert_int_equal(rec.refused.err, EPROTO);
    assert_closed(fd);
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = ARGV("true")})), 0);
}

static void send_and_be_closed(struct rig *rig, bool hello, const void *bytes, size_t size,
                               unsigned nfds)
{
    int fds[4] = {0, 0, 0, 0};
    int fd = hello ? raw_open(rig) : raw_connect(rig);
    raw_send(fd, bytes, size, fds, nfds);
    assert_closed(fd);
}

static void test_garbage(void **state)
{
    struct rig *rig = *state;
    struct record list = {.type = RECORD_LIST};
    struct record hello = {.type = RECORD_HELLO, .version = RECORD_VERSION};
    struct record spawn = {.type = RECORD_SPAWN, .token = {1}};
    struct record merge = {.type = RECORD_SPAWN, .token = {1}, .spawn = {.flags = SPAWN_MERGE}};
    struct record flags = {.type = RECORD_SPAWN, .token = {1}, .spawn = {.flags = 6}};
    struct record blank = {.type = RECORD_SPAWN};
    struct record signo = {.type = RECORD_SIGNAL, .signal = {.signo = 1000}};
    struct record unknown = {.type = 99};
    struct record answer = {.type = RECORD_EXITED};
    char large[sizeof(struct record) + 1] = {RECORD_LIST};

    memcpy(hello.hello.instance, rig->instance, RECORD_UUID_BYTES);
    rig_drop(rig);
    int only = raw_open(rig); /* by its WELCOME the spawner has dropped the one before */
    size_t fds = rig_spawner_fds(rig);

    send_and_be_closed(rig, false, &list, sizeof(list), 0); /* before HELLO */
    send_and_be_closed(rig, false, &spawn, sizeof(spawn), 3);
    send_and_be_closed(rig, false, &hello, sizeof(hello), 1);
    send_and_be_closed(rig, false, &hello, sizeof(hello) - 1, 0);
    send_and_be_closed(rig, true, &hello, sizeof(hello), 0); /* twice */
    send_and_be_closed(rig, true, &list, sizeof(list) - 4, 0);
    send_and_be_closed(rig, true, large, sizeof(large), 0);
    send_and_be_closed(rig, true, "", 1, 4);
    send_and_be_closed(rig, true, &list, sizeof(list), 1);
    send_and_be_closed(rig, true, &spawn, sizeof(spawn), 0);
    send_and_be_closed(rig, true, &spawn, sizeof(spawn), 2);
    send_and_be_closed(rig, true, &spawn, sizeof(spawn), 4);
    send_and_be_closed(rig, true, &merge, sizeof(merge), 3);
    send_and_be_closed(rig, true, &flags, sizeof(flags), 3);
    send_and_be_closed(rig, true, &blank, sizeof(blank), 3);
    send_and_be_closed(rig, true, &signo, sizeof(signo), 0);
    send_and_be_closed(rig, true, &unknown, sizeof(unknown), 0);
    send_and_be_closed(rig, true, &answer, sizeof(answer), 0);

    close(only);
    only = raw_open(rig);
    assert_int_equal(rig_spawner_fds(rig), fds);
    close(only);
    rig_connect(rig);
    assert_int_equal(rig->nlog, 0);
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = ARGV("true")})), 0);
}

/* Connections that say nothing displace nobody; of too many the oldest go. */
static void test_silent_connections(void **state)
{
    struct rig *rig = *state;
    int fds[20];
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = raw_connect(rig);
    assert_closed(fds[0]);
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = SHELL("exit 1")})), 1);

    int next = raw_open(rig); /* there is a place for who says HELLO, and it displaces */
    struct pollfd p = {.fd = rig->client.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, RIG_DEADLINE_MS), 1);
    spawner_client_readable(&rig->client);
    assert_true(rig->lost);
    assert_int_equal(rig->why.code, -ECONNRESET);
    close(next);
    for (unsigned i = 1; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
}

/* What a connection left unread when the next one said HELLO never runs behind its LIST. */
static void test_unread_records_are_dropped(void **state)
{
    enum { SENT = 200 };
    struct rig *rig = *state;
    struct command mark = {.argv = SHELL("printf x")};
    int spec = rig_spec(&mark);
    int out = open(rig_file(rig, "marks"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    struct stat st;

    rig_drop(rig);
    int old = raw_open(rig);
    kill(rig->pid, SIGSTOP);
    for (unsigned i = 1; i <= SENT; i++)
        raw_spawn(old, i, spec, out);
    struct err err = ERR_INIT;
    assert_int_equal(spawner_client_connect(&rig->client, rig->socket, rig->instance, &err), 0);
    kill(rig->pid, SIGCONT);
    rig_drop(rig);
    rig_connect(rig);

    off_t listed = 0;
    for (unsigned i = 1; i <= SENT; i++) {
        if (!rig_find(rig, i, RECORD_STARTED))
            continue;
        assert_exit(rig_end(rig, i), 0);
        listed++;
    }
    assert_true(listed < SENT);
    assert_exit(rig_end(rig, rig_spawn(rig, &(struct command){.argv = ARGV("true")})), 0);
    assert_int_equal(fstat(out, &st), 0);
    assert_int_equal(st.st_size, listed);
    close(old);
    close(spec);
    close(out);
}

/* A thousand commands while nobody reads: the socket fills, nothing is lost, all is in order.
 */
static void test_socket_full(void **state)
{
    enum { MANY = 1000 };
    struct rig *rig = *state;
    struct command c = {.argv = SHELL("printf x")};
    int spec = rig_spec(&c);
    int out[2];
    static unsigned char seen[MANY + 1];
    struct record rec;
    char byte;

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    rig_drop(rig);
    int fd = raw_open(rig);
    for (unsigned i = 1; i <= MANY; i++)
        raw_spawn(fd, i, spec, out[1]);
    for (unsigned i = 0; i < MANY; i++) /* until all have run */
        assert_int_equal(read(out[0], &byte, 1), 1);
    memset(seen, 0, sizeof(seen));
    for (unsigned left = 2 * MANY; left; left--) {
        unsigned n;
        assert_int_equal(recv(fd, &rec, sizeof(rec), 0), sizeof(rec));
        memcpy(&n, rec.token, sizeof(n));
        assert_in_range(n, 1, MANY);
        assert_int_equal(rec.type, seen[n]++ == 0 ? RECORD_STARTED : RECORD_EXITED);
    }
    for (unsigned i = 1; i <= MANY; i++) {
        struct record release = {.type = RECORD_RELEASE};
        rig_token(release.token, i);
        raw_send(fd, &release, sizeof(release), NULL, 0);
    }
    rec = (struct record){.type = RECORD_LIST};
    raw_send(fd, &rec, sizeof(rec), NULL, 0);
    assert_int_equal(recv(fd, &rec, sizeof(rec), 0), sizeof(rec));
    assert_int_equal(rec.type, RECORD_LIST_END);
    close(fd);
    close(spec);
    close(out[0]);
    close(out[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_welcome, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_reconnect, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_release_while_it_runs, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_duplicate_token, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_other_instance, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_version, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_garbage, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_silent_connections, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_unread_records_are_dropped, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_socket_full, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
