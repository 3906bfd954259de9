/* SPDX-License-Identifier: MIT */
#include "daemon/service/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/defs.h"

enum { SOCKET_BACKLOG = 1024 };
static const char socket_name[] = "control.sock";

int socket_make_dir(const char *path, mode_t mode, struct err *err)
{
    _cleanup_(defs_freep) char *copy = strdup(path);
    if (!copy)
        return err_set(err, -ENOMEM, "out of memory");
    for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
            return err_errno(err, -errno, "%s", copy);
        *slash = '/';
    }
    if (mkdir(copy, 0700) < 0)
        return errno == EEXIST ? 0 : err_errno(err, -errno, "%s", copy);
    return chmod(copy, mode) < 0 ? err_errno(err, -errno, "%s", copy) : 0;
}

int socket_from_systemd(struct err *err)
{
    int found = -ENOENT;
    char **names = NULL;
    int n = sd_listen_fds_with_names(1, &names);
    if (n < 0)
        return err_errno(err, n, "the sockets that systemd passes");
    for (int i = 0; i < n; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        bool ours = strcmp(names[i], "control") == 0 && found < 0 &&
                    sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0;
        if (ours)
            found = fd;
        else
            close(fd);
        free(names[i]);
    }
    free(names);
    if (n > 0 && found < 0)
        return err_set(err, -EINVAL,
                       "systemd passed no listening stream socket named \"control\"");
    return found;
}

/* sun_path has 108 bytes, a path may have 4096: /proc's name for the directory is short. */
static void socket_address(struct sockaddr_un *address, int dir_fd)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", dir_fd,
             socket_name);
}

static bool socket_answers(const struct sockaddr_un *address)
{
    _cleanup_(defs_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

int socket_bind(const char *dir, mode_t mode, gid_t group, struct err *err)
{
    struct sockaddr_un address;
    _cleanup_(defs_closep) int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_errno(err, -errno, "%s", dir);
    socket_address(&address, dir_fd);
    if (socket_answers(&address))
        return err_set(err, -EADDRINUSE, "another aiod answers on %s/%s", dir, socket_name);
    if (unlinkat(dir_fd, socket_name, 0) < 0 && errno != ENOENT)
        return err_errno(err, -errno, "%s/%s", dir, socket_name);

    _cleanup_(defs_closep) int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, -errno, "socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return err_errno(err, -errno, "%s/%s", dir, socket_name);
    if (group != (gid_t)-1 && fchownat(dir_fd, socket_name, (uid_t)-1, group, 0) < 0)
        return err_errno(err, -errno, "%s/%s: chown to gid %u", dir, socket_name, group);
    /* nobody can connect before it listens */
    if (fchmodat(dir_fd, socket_name, mode, 0) < 0 || listen(fd, SOCKET_BACKLOG) < 0)
        return err_errno(err, -errno, "%s/%s", dir, socket_name);
    return TAKE_FD(fd);
}
