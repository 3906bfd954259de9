/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/ticks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"

/* The name is the second field and may hold blanks and brackets: fields are counted from the last
 * bracket on. The whole line is shorter than the buffer. */
enum { TICKS_FIELD = 22, TICKS_NAME_FIELD = 2, TICKS_STAT_MAX = 1024 };

uint64_t ticks_of(pid_t pid)
{
    char path[32];
    char text[TICKS_STAT_MAX];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    _cleanup_(defs_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = TICKS_NAME_FIELD; at && field < TICKS_FIELD; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

/* 0: a tick ended between the two. */
static uint64_t ticks_between(uint64_t before, uint64_t after)
{
    uint64_t per_tick = NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
    return before / per_tick == after / per_tick ? before / per_tick : 0;
}

uint64_t ticks_of_new(enum ticks_trust *trust, pid_t pid, uint64_t before, uint64_t after)
{
    uint64_t ticks = *trust == TICKS_BY_FILE ? 0 : ticks_between(before, after);
    if (*trust == TICKS_BY_CLOCK && ticks)
        return ticks;
    uint64_t told = ticks_of(pid);
    if (*trust == TICKS_UNTRIED && ticks && told)
        *trust = ticks == told ? TICKS_BY_CLOCK : TICKS_BY_FILE;
    return told;
}
