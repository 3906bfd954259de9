/* SPDX-License-Identifier: MIT */
#include "base/unix_address.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/defs.h"

int unix_address_split(const char *path, const char **ret_name, struct err *err)
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

static void unix_address_clear(struct unix_address *a)
{
    *a = (struct unix_address){
        .un = {.sun_family = AF_UNIX}, .len = sizeof(a->un), .dir_fd = -1};
}

int unix_address_at(struct unix_address *a, int dir_fd, const char *name)
{
    char path[sizeof("/proc/self/fd/4294967295/") + NAME_MAX];
    unix_address_clear(a);
    int n = snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir_fd, name);
    if (n < 0 || (size_t)n >= sizeof(a->un.sun_path))
        return -ENAMETOOLONG;
    memcpy(a->un.sun_path, path, (size_t)n);
    return 0;
}

int unix_address_init(struct unix_address *a, const char *path, struct err *err)
{
    unix_address_clear(a);
    size_t size = strlen(path);
    if (size == 0)
        return err_set(err, -EINVAL, "an empty path names no socket");
    if (size < sizeof(a->un.sun_path)) {
        memcpy(a->un.sun_path, path, size);
        return 0;
    }
    const char *name;
    int fd = unix_address_split(path, &name, err);
    if (fd < 0)
        return fd;
    int r = unix_address_at(a, fd, name);
    a->dir_fd = fd;
    if (r < 0) {
        unix_address_done(a);
        return err_errno(err, r, "%s", path);
    }
    return 0;
}

void unix_address_done(struct unix_address *a)
{
    defs_closep(&a->dir_fd);
}
