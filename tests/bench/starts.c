/* SPDX-License-Identifier: MIT */
/*
 * starts - the spawner alone: its records as aiod sends them, with no loop, no disk and no tasks
 * behind, so many commands at a time.
 *
 *     starts PARALLEL COUNT DIR SPAWNER COMMAND…
 *
 * Starts a spawner of its own. Each command gets a fresh file DIR/NNN/ID.1.log for both outputs,
 * its arguments and our environment in a sealed memfd; RELEASE follows EXITED. Prints how long all
 * took, in seconds, as JSON.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/spawner/client.h"
#include "daemon/spawner/spec.h"

enum { STARTS_PER_DIRECTORY = 1000 };

struct starts {
    struct spawner_client client;
    int dir_fd;
    size_t parallel, count;
    size_t begun, ended;
    struct spec spec;
    uint64_t began;
};

static int starts_open(const struct starts *s, size_t id)
{
    char name[64];
    snprintf(name, sizeof(name), "%03zu", id / STARTS_PER_DIRECTORY);
    if ((id == 1 || id % STARTS_PER_DIRECTORY == 0) && mkdirat(s->dir_fd, name, 0700) < 0)
        err(1, "%s", name);
    snprintf(name, sizeof(name), "%03zu/%zu.1.log", id / STARTS_PER_DIRECTORY, id);
    int fd = openat(s->dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        err(1, "%s", name);
    return fd;
}

static void starts_begin(struct starts *s)
{
    size_t id = ++s->begun;
    struct spawn_request request = {.task = id,
                                    .attempt = 1,
                                    .uid = geteuid(),
                                    .gid = getegid(),
                                    .spec_fd = spec_to_memfd(&s->spec),
                                    .out_fd = starts_open(s, id),
                                    .err_fd = -1};
    memcpy(request.token, &id, sizeof(id));
    if (request.spec_fd < 0 || spawner_client_spawn(&s->client, &request) < 0)
        errx(1, "cannot spawn");
}

static void starts_fill(struct starts *s)
{
    while (s->begun < s->count && s->begun - s->ended < s->parallel)
        starts_begin(s);
}

static void starts_nothing(void *ctx, const struct record *record)
{
    (void)ctx;
    (void)record;
}

static void starts_live(void *ctx)
{
    struct starts *s = ctx;
    s->began = clock_awake();
    starts_fill(s);
}

static void starts_failed(void *ctx, const struct record *record)
{
    (void)ctx;
    errx(1, "step %d: %s", record->failed.step, strerror(record->failed.err));
}

static void starts_exited(void *ctx, const struct record *record)
{
    struct starts *s = ctx;
    if (record->exited.status != 0)
        errx(1, "a command ended with status %d", record->exited.status);
    s->ended++;
    starts_fill(s); /* the next one first, as aiod: its slot is free, the disk comes later */
    spawner_client_release(&s->client, record->token);
}

static void starts_lost(void *ctx, const struct err *error)
{
    (void)ctx;
    errx(1, "%s", error->msg);
}

static const struct spawner_events starts_events = {.welcome = starts_nothing,
                                                    .list_end = starts_live,
                                                    .started = starts_nothing,
                                                    .failed = starts_failed,
                                                    .exited = starts_exited,
                                                    .lost = starts_lost};

static pid_t starts_spawner(const char *program, const char *socket)
{
    int ready[2];
    char fd[16], byte;
    if (pipe(ready) < 0)
        err(1, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        snprintf(fd, sizeof(fd), "%d", ready[1]);
        if (!freopen("/dev/null", "w", stderr)) /* it says how many it ran */
            err(1, "/dev/null");
        execl(program, program, "--socket", socket, "--ready-fd", fd, (char *)NULL);
        err(1, "%s", program);
    }
    close(ready[1]);
    if (pid < 0 || read(ready[0], &byte, 1) != 1)
        errx(1, "%s does not start", program);
    close(ready[0]);
    return pid;
}

static void starts_run(struct starts *s)
{
    while (s->ended < s->count) {
        struct pollfd p = {.fd = s->client.fd, .events = POLLIN};
        if (spawner_client_wants_write(&s->client))
            p.events |= POLLOUT;
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            err(1, "poll");
        if (p.revents & POLLOUT)
            spawner_client_writable(&s->client);
        if (p.revents & ~POLLOUT)
            spawner_client_readable(&s->client);
    }
}

int main(int argc, char **argv)
{
    static const uint8_t instance[RECORD_UUID_BYTES] = {1};
    char socket[4096];
    struct err error = ERR_INIT;
    struct starts s = {.parallel = argc > 5 ? strtoul(argv[1], NULL, 10) : 0,
                       .count = argc > 5 ? strtoul(argv[2], NULL, 10) : 0};
    if (!s.parallel || !s.count)
        errx(2, "starts PARALLEL COUNT DIR SPAWNER COMMAND…");
    s.dir_fd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s.dir_fd < 0)
        err(1, "%s", argv[3]);
    s.spec = (struct spec){.argv = (const char *const *)argv + 5,
                           .argc = (uint32_t)(argc - 5),
                           .env = (const char *const *)environ,
                           .cwd = "/",
                           .umask = 022};
    while (environ[s.spec.envc])
        s.spec.envc++;
    snprintf(socket, sizeof(socket), "%s/spawner.sock", argv[3]);
    pid_t pid = starts_spawner(argv[4], socket);
    spawner_client_init(&s.client, &starts_events, &s);
    if (spawner_client_connect(&s.client, socket, instance, &error) < 0)
        errx(1, "%s", error.msg);
    starts_run(&s);
    printf("{\"seconds\": %.6f}\n", (double)(clock_awake() - s.began) / 1e9);
    fflush(stdout);
    spawner_client_done(&s.client);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return 0;
}
