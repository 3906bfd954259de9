/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static void rig_note(struct rig *rig, const struct record *rec)
{
    if (rig->nlog == rig->log_cap) {
        rig->log_cap = rig->log_cap ? rig->log_cap * 2 : 64;
        rig->log = realloc(rig->log, rig->log_cap * sizeof(*rig->log));
        if (!rig->log)
            abort();
    }
    rig->log[rig->nlog++] = *rec;
}

static void rig_on_welcome(void *ctx, const struct record *rec)
{
    struct rig *rig = ctx;
    rig->welcome = true;
    rig->hello = *rec;
}

static void rig_on_list_end(void *ctx)
{
    struct rig *rig = ctx;
    rig->listed = true;
}

static void rig_on_record(void *ctx, const struct record *rec)
{
    rig_note(ctx, rec);
}

static void rig_on_lost(void *ctx, const struct err *err)
{
    struct rig *rig = ctx;
    rig->lost = true;
    rig->why = *err;
}

static const struct spawner_events rig_events = {.welcome = rig_on_welcome,
                                                 .list_end = rig_on_list_end,
                                                 .started = rig_on_record,
                                                 .failed = rig_on_record,
                                                 .exited = rig_on_record,
                                                 .lost = rig_on_lost};

int rig_setup_bare(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/aiod-spawner.XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    assert_int_equal(chmod(rig->dir, 0755), 0);
    snprintf(rig->socket, sizeof(rig->socket), "%.400s/spawner.sock", rig->dir);
    rig->pidfd = -1;
    rig->uid = geteuid();
    memset(rig->instance, 0x5a, sizeof(rig->instance));
    spawner_client_init(&rig->client, &rig_events, rig);
    *state = rig;
    return 0;
}

int rig_setup(void **state)
{
    rig_setup_bare(state);
    rig_start(*state, ARGV("--grace", "200"));
    rig_connect(*state);
    struct rig *rig = *state;
    assert_true(rig->listed);
    return 0;
}

static int rig_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

int rig_teardown(void **state)
{
    struct rig *rig = *state;
    int status = rig->pid ? rig_stop(rig) : 0;
    if (status != 0)
        fprintf(stderr, "%s\n", rig_read(rig_file(rig, "stderr")));
    spawner_client_done(&rig->client);
    nftw(rig->dir, rig_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(rig->log);
    free(rig);
    return status;
}

static void rig_become(uid_t uid)
{
    if (uid == geteuid())
        return;
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
        _exit(126);
}

/* In the new process: argv and the descriptors that the spawner is to find. */
static void rig_exec(const struct rig *rig, const char *const *options, int ready)
{
    const char *argv[32] = {AIOD_SPAWNER, "--socket", rig->socket};
    char number[16];
    int n = 3;
    int log = open(rig_file(rig, "stderr"), O_WRONLY | O_CREAT | O_APPEND, 0666);

    if (ready >= 0) {
        snprintf(number, sizeof(number), "%d", ready);
        argv[n++] = "--ready-fd";
        argv[n++] = number;
        fcntl(ready, F_SETFD, 0);
    }
    for (; options && *options; options++)
        argv[n++] = *options;
    dup2(log, STDERR_FILENO);
    close(log);
    if (rig->close_std)
        close_range(0, 2, 0);
    struct rlimit nofile;
    getrlimit(RLIMIT_NOFILE, &nofile);
    nofile.rlim_cur = RIG_NOFILE; /* less than the hard limit: the spawner raises its own */
    setrlimit(RLIMIT_NOFILE, &nofile);
    if (rig->notify)
        setenv("NOTIFY_SOCKET", rig->notify, 1);
    /* opened before: the user may not reach the directory that the build is in */
    int executable = open(argv[0], O_PATH | O_CLOEXEC);
    rig_become(rig->uid);
    fexecve(executable, (char *const *)(uintptr_t)argv, environ);
    _exit(126);
}

static void rig_fork(struct rig *rig, const char *const *options, int ready)
{
    rig->pid = fork();
    assert_true(rig->pid >= 0);
    if (rig->pid == 0)
        rig_exec(rig, options, ready);
    rig->pidfd = (int)syscall(SYS_pidfd_open, rig->pid, 0);
    assert_true(rig->pidfd >= 0);
}

void rig_start(struct rig *rig, const char *const *options)
{
    int ready[2];
    char text[16] = "";
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    rig_fork(rig, options, ready[1]);
    close(ready[1]);
    struct pollfd p = {.fd = ready[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, RIG_DEADLINE_MS), 1);
    assert_int_equal(read(ready[0], text, sizeof(text) - 1), 8);
    assert_string_equal(text, "READY=1\n");
    close(ready[0]);
}

int rig_wait(struct rig *rig)
{
    struct pollfd p = {.fd = rig->pidfd, .events = POLLIN};
    int status = -1;
    if (poll(&p, 1, RIG_DEADLINE_MS) != 1)
        kill(rig->pid, SIGKILL);
    waitpid(rig->pid, &status, 0);
    close(rig->pidfd);
    rig->pidfd = -1;
    rig->pid = 0;
    return status;
}

int rig_stop(struct rig *rig)
{
    kill(rig->pid, SIGTERM);
    return rig_wait(rig);
}

void rig_kill(struct rig *rig)
{
    kill(rig->pid, SIGKILL);
    rig_wait(rig);
}

int rig_run(struct rig *rig, const char *const *options, char *text, size_t size)
{
    struct rig other = *rig;
    unlink(rig_file(rig, "stderr"));
    rig_fork(&other, options, -1);
    int status = rig_wait(&other);
    snprintf(text, size, "%s", rig_read(rig_file(rig, "stderr")));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool rig_is_settled(struct rig *rig, const void *arg)
{
    (void)arg;
    return rig->listed || rig->lost;
}

void rig_connect(struct rig *rig)
{
    struct err err = ERR_INIT;
    rig->nlog = 0;
    rig->welcome = rig->listed = rig->lost = false;
    if (spawner_client_connect(&rig->client, rig->socket, rig->instance, &err) < 0)
        fail_msg("%s", err.msg);
    assert_true(rig_until(rig, rig_is_settled, NULL));
}

void rig_drop(struct rig *rig)
{
    spawner_client_done(&rig->client);
}

static bool rig_has_sent_all(struct rig *rig, const void *arg)
{
    (void)arg;
    return rig->client.queued == 0;
}

void rig_list(struct rig *rig)
{
    struct record rec = {.type = RECORD_LIST};
    assert_true(rig_until(rig, rig_has_sent_all, NULL));
    rig->nlog = 0;
    rig->listed = false;
    assert_int_equal(send(rig->client.fd, &rec, sizeof(rec), MSG_NOSIGNAL), sizeof(rec));
    assert_true(rig_until(rig, rig_is_settled, NULL));
}

bool rig_until(struct rig *rig, rig_condition *condition, const void *arg)
{
    uint64_t ends = clock_awake() + RIG_DEADLINE_MS * NSEC_PER_MSEC;
    while (!condition(rig, arg)) {
        uint64_t now = clock_awake();
        if (now >= ends)
            return false;
        struct pollfd p = {.fd = rig->client.fd, .events = POLLIN};
        if (spawner_client_wants_write(&rig->client))
            p.events |= POLLOUT;
        poll(&p, 1, (int)((ends - now) / NSEC_PER_MSEC) + 1);
        if (p.revents & (POLLIN | POLLHUP | POLLERR))
            spawner_client_readable(&rig->client);
        if (p.revents & POLLOUT)
            spawner_client_writable(&rig->client);
    }
    return true;
}

void rig_token(uint8_t token[RECORD_TOKEN_BYTES], unsigned n)
{
    memset(token, 0xa5, RECORD_TOKEN_BYTES);
    memcpy(token, &n, sizeof(n));
}

int rig_spec(const struct command *c)
{
    static const char *const path_alone[] = {"PATH=/usr/bin:/bin", NULL};
    struct spec spec = {.argv = c->argv,
                        .env = c->env ? c->env : path_alone,
                        .cwd = c->cwd ? c->cwd : "/",
                        .input = c->input,
                        .groups = c->groups,
                        .ngroups = c->ngroups,
                        .umask = c->umask ? c->umask : 022};
    while (spec.argv[spec.argc])
        spec.argc++;
    while (spec.env[spec.envc])
        spec.envc++;
    int fd = spec_to_memfd(&spec);
    assert_true(fd >= 0);
    return fd;
}

static int rig_open_output(const struct rig *rig, const char *stream, unsigned n)
{
    char name[32];
    snprintf(name, sizeof(name), "%s.%u", stream, n);
    int fd = open(rig_file(rig, name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    return fd;
}

void rig_request(struct rig *rig, struct spawn_request *req, unsigned n,
                 const struct command *c)
{
    *req = (struct spawn_request){.task = 1000 + n,
                                  .attempt = 1,
                                  .uid = c->become ? c->uid : geteuid(),
                                  .gid = c->become ? c->gid : getegid(),
                                  .spec_fd = rig_spec(c),
                                  .out_fd = rig_open_output(rig, "out", n),
                                  .err_fd = c->split ? rig_open_output(rig, "err", n) : -1};
    rig_token(req->token, n);
}

unsigned rig_spawn(struct rig *rig, const struct command *c)
{
    struct spawn_request req;
    unsigned n = ++rig->next;
    rig_request(rig, &req, n, c);
    assert_int_equal(spawner_client_spawn(&rig->client, &req), 0);
    return n;
}

size_t rig_count(const struct rig *rig, unsigned n, uint32_t type)
{
    uint8_t token[RECORD_TOKEN_BYTES];
    size_t count = 0;
    rig_token(token, n);
    for (size_t i = 0; i < rig->nlog; i++)
        count += rig->log[i].type == type && !memcmp(rig->log[i].token, token, sizeof(token));
    return count;
}

const struct record *rig_find(const struct rig *rig, unsigned n, uint32_t type)
{
    uint8_t token[RECORD_TOKEN_BYTES];
    rig_token(token, n);
    for (size_t i = 0; i < rig->nlog; i++)
        if (rig->log[i].type == type && !memcmp(rig->log[i].token, token, sizeof(token)))
            return &rig->log[i];
    return NULL;
}

static bool rig_has_started(struct rig *rig, const void *n)
{
    return rig_find(rig, *(const unsigned *)n, RECORD_STARTED);
}

const struct record *rig_started(struct rig *rig, unsigned n)
{
    assert_true(rig_until(rig, rig_has_started, &n));
    return rig_find(rig, n, RECORD_STARTED);
}

static const struct record *rig_ended(const struct rig *rig, unsigned n)
{
    const struct record *rec = rig_find(rig, n, RECORD_EXITED);
    return rec ? rec : rig_find(rig, n, RECORD_FAILED);
}

static bool rig_has_ended(struct rig *rig, const void *n)
{
    return rig_ended(rig, *(const unsigned *)n);
}

const struct record *rig_end(struct rig *rig, unsigned n)
{
    assert_true(rig_until(rig, rig_has_ended, &n));
    return rig_ended(rig, n);
}

void rig_signal(struct rig *rig, unsigned n, int signo)
{
    uint8_t token[RECORD_TOKEN_BYTES];
    rig_token(token, n);
    assert_int_equal(spawner_client_signal(&rig->client, token, signo, 0), 0);
}

void rig_release(struct rig *rig, unsigned n)
{
    uint8_t token[RECORD_TOKEN_BYTES];
    rig_token(token, n);
    assert_int_equal(spawner_client_release(&rig->client, token), 0);
}
