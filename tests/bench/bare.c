/* SPDX-License-Identifier: MIT */
/*
 * bare - the least that running commands costs: posix_spawn and waitpid, so many at a time.
 *
 *     bare PARALLEL COUNT DIR COMMAND…
 *
 * Each in a session of its own, with default signals, standard input from /dev/null and both
 * outputs in a fresh file DIR/NNN/ID.1.log, as aiod gives it. What bare prints is how long all
 * took, in seconds, as JSON; nothing is remembered.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { BARE_PER_DIRECTORY = 1000 };

struct bare {
    int dir_fd;
    char **argv;
    posix_spawnattr_t attr;
};

static int bare_open(const struct bare *b, size_t id)
{
    char name[64];
    snprintf(name, sizeof(name), "%03zu", id / BARE_PER_DIRECTORY);
    if ((id == 1 || id % BARE_PER_DIRECTORY == 0) && mkdirat(b->dir_fd, name, 0700) < 0)
        err(1, "%s", name);
    snprintf(name, sizeof(name), "%03zu/%zu.1.log", id / BARE_PER_DIRECTORY, id);
    int fd = openat(b->dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        err(1, "%s", name);
    return fd;
}

static void bare_start(const struct bare *b, size_t id)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int fd = bare_open(b, id);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fd, STDERR_FILENO);
    int r = posix_spawnp(&pid, b->argv[0], &actions, &b->attr, b->argv, environ);
    if (r != 0)
        errx(1, "%s: %s", b->argv[0], strerror(r));
    posix_spawn_file_actions_destroy(&actions);
    close(fd);
}

static void bare_wait(void)
{
    int status;
    while (waitpid(-1, &status, 0) < 0)
        if (errno != EINTR)
            err(1, "waitpid");
    if (status != 0)
        errx(1, "a command ended with status %d", status);
}

int main(int argc, char **argv)
{
    sigset_t all, none;
    size_t parallel = argc > 4 ? strtoul(argv[1], NULL, 10) : 0;
    size_t count = argc > 4 ? strtoul(argv[2], NULL, 10) : 0;
    if (!parallel || !count)
        errx(2, "bare PARALLEL COUNT DIR COMMAND…");
    struct bare b = {.dir_fd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                     .argv = argv + 4};
    if (b.dir_fd < 0)
        err(1, "%s", argv[3]);
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_init(&b.attr);
    posix_spawnattr_setsigdefault(&b.attr, &all);
    posix_spawnattr_setsigmask(&b.attr, &none);
    posix_spawnattr_setflags(&b.attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
                                          POSIX_SPAWN_SETSIGMASK);
    uint64_t began = clock_awake();
    for (size_t id = 1; id <= count; id++) {
        if (id > parallel)
            bare_wait();
        bare_start(&b, id);
    }
    for (size_t i = 0; i < parallel && i < count; i++)
        bare_wait();
    printf("{\"seconds\": %.6f}\n", (double)(clock_awake() - began) / 1e9);
    return 0;
}
