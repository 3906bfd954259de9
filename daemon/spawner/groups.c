/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/groups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The group of a process, or 0 for one that has ended: "PID (NAME) STATE PPID PGRP …", and the
 * name may hold brackets. */
static pid_t groups_of(int proc, const char *pid)
{
    char text[256];
    char path[32];
    char state;
    int ppid, group;
    if (strlen(pid) > sizeof(path) - sizeof("/stat"))
        return 0;
    snprintf(path, sizeof(path), "%.20s/stat", pid);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strrchr(text, ')');
    if (!at || sscanf(at + 1, " %c %d %d", &state, &ppid, &group) != 3)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : group;
}

int groups_read(groups_fn *fn, void *ctx)
{
    DIR *dir = opendir("/proc");
    if (!dir)
        return -errno;
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        pid_t group = groups_of(dirfd(dir), entry->d_name);
        if (group > 0)
            fn(ctx, group);
        errno = 0;
    }
    int r = -errno;
    closedir(dir);
    return r;
}
