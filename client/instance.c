/* SPDX-License-Identifier: MIT */
/*
 * instance - a path chosen, and a connection to it.
 */
#include "client/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/defs.h"

/* The user's own socket, whether it is there or not; NULL without memory. */
static char *instance_user_socket(const struct instance_query *q)
{
    char *path = NULL;
    int n;
    if (q->runtime_dir && q->runtime_dir[0] == '/')
        n = asprintf(&path, "%s/aiod/control.sock", q->runtime_dir);
    else
        n = asprintf(&path, "/run/user/%u/aiod/control.sock", (unsigned)q->uid);
    return n < 0 ? NULL : path;
}

static char *instance_default_socket(const struct instance_query *q)
{
    char *own = instance_user_socket(q);
    if (!own || access(own, F_OK) == 0)
        return own;
    free(own);
    return strdup(INSTANCE_SYSTEM_SOCKET);
}

int instance_choose(const struct instance_query *q, char **ret, struct err *err)
{
    if (q->user + q->system + (q->socket != NULL) > 1)
        return err_set(err, -EINVAL, "--socket, --user and --system exclude each other");
    char *path;
    if (q->socket)
        path = strdup(q->socket);
    else if (q->user)
        path = instance_user_socket(q);
    else if (q->system)
        path = strdup(INSTANCE_SYSTEM_SOCKET);
    else if (q->env_socket && q->env_socket[0])
        path = strdup(q->env_socket);
    else
        path = instance_default_socket(q);
    if (!path)
        return err_set(err, -ENOMEM, "out of memory");
    *ret = path;
    return 0;
}

/* Fills the address. A path that is too long is reached through its directory: *ret_dir is then
 * open (the caller's) and must stay so until after connect. */
static int instance_address(const char *path, struct sockaddr_un *ret, int *ret_dir)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len < sizeof(ret->sun_path)) {
        memcpy(ret->sun_path, path, len + 1);
        return 0;
    }
    _cleanup_(defs_freep) char *dir = strdup(path);
    if (!dir)
        return -ENOMEM;
    char *slash = strrchr(dir, '/');
    if (!slash)
        return -ENAMETOOLONG;
    *slash = '\0';
    *ret_dir = open(slash == dir ? "/" : dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_dir < 0)
        return -errno;
    int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", *ret_dir,
                     slash + 1);
    return (size_t)n < sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

int instance_connect(const char *path, struct err *err)
{
    struct sockaddr_un address;
    _cleanup_(defs_closep) int dir = -1;
    _cleanup_(defs_closep) int fd = -1;
    int r = instance_address(path, &address, &dir);
    if (r == 0) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return err_errno(err, -errno, "a socket cannot be made");
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
            r = -errno;
    }
    if (r == -ENOENT || r == -ECONNREFUSED || r == -ENOTDIR)
        return err_set(err, r, "no running event loop at %s: start it with: aiod", path);
    if (r < 0)
        return err_errno(err, r, "no connection to the event loop at %s", path);
    int connected = fd;
    fd = -1;
    return connected;
}
