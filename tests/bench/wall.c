/* SPDX-License-Identifier: MIT */
/*
 * wall - how long one process takes from its start to its end, for several commands in turn.
 *
 *     wall TIMES -- COMMAND… [-- COMMAND…]…
 *
 * Runs the first, the second, …, and again, one at a time, output thrown away. Prints the median
 * of each in microseconds, as JSON. A shell between would cost more than what is measured.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { WALL_COMMANDS_MAX = 8 };

static int wall_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t wall_run(char **argv, const posix_spawn_file_actions_t *actions)
{
    pid_t pid;
    int status;
    uint64_t began = clock_awake();
    int r = posix_spawn(&pid, argv[0], actions, NULL, argv, environ);
    if (r != 0)
        errx(1, "%s: %s", argv[0], strerror(r));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            err(1, "waitpid");
    if (status != 0)
        errx(1, "%s: status %d", argv[0], status);
    return clock_awake() - began;
}

int main(int argc, char **argv)
{
    char **commands[WALL_COMMANDS_MAX];
    size_t n = 0, times = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
    for (int i = 2; i < argc - 1 && n < WALL_COMMANDS_MAX; i++) {
        if (strcmp(argv[i], "--") == 0) {
            argv[i] = NULL;
            commands[n++] = argv + i + 1;
        }
    }
    uint64_t *took = calloc(n * times + 1, sizeof(*took));
    if (!n || !times || !took)
        errx(2, "wall TIMES -- COMMAND… [-- COMMAND…]…");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    for (size_t t = 0; t < times; t++)
        for (size_t c = 0; c < n; c++)
            took[c * times + t] = wall_run(commands[c], &actions);
    for (size_t c = 0; c < n; c++) {
        qsort(took + c * times, times, sizeof(*took), wall_compare);
        printf("%s%.1f%s", c == 0 ? "[" : ", ", (double)took[c * times + times / 2] / 1e3,
               c == n - 1 ? "]\n" : "");
    }
    return 0;
}
