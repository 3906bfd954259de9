/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/address.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int address_split(const char *path, const char **ret_name, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char dir[PATH_MAX];
    size_t len = slash ? (size_t)(slash - path) : 0;

    if (!*name)
        return err_set(err, -EINVAL, "%s: names no socket", path);
    if (len >= sizeof(dir))
        return err_errno(err, -ENAMETOOLONG, "%s", path);
    memcpy(dir, path, len);
    dir[len] = '\0';
    int fd = open(len ? dir : slash ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, -errno, "%s", path);
    *ret_name = name;
    return fd;
}

int address_init(struct address *a, const char *path, struct err *err)
{
    *a = (struct address){.un = {.sun_family = AF_UNIX}, .len = sizeof(a->un), .dirfd = -1};
    size_t size = strlen(path);
    if (size < sizeof(a->un.sun_path)) {
        memcpy(a->un.sun_path, path, size);
        return 0;
    }
    const char *name;
    int fd = address_split(path, &name, err);
    if (fd < 0)
        return fd;
    int n = snprintf(a->un.sun_path, sizeof(a->un.sun_path), "/proc/self/fd/%d/%s", fd, name);
    if (n < 0 || (size_t)n >= sizeof(a->un.sun_path)) {
        close(fd);
        return err_errno(err, -ENAMETOOLONG, "%s", path);
    }
    a->dirfd = fd;
    return 0;
}

void address_done(struct address *a)
{
    if (a->dirfd >= 0)
        close(a->dirfd);
    a->dirfd = -1;
}
