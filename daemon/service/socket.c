/* SPDX-License-Identifier: MIT */
/*
 * Modes and owners are set through a descriptor of what was looked at, never by a path: the
 * directories above may belong to others, who could put a link in the way.
 */
#include "daemon/service/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/unix_address.h"

enum { SOCKET_BACKLOG = 1024 };

/* ---- the directory ---- */

/* Gives a directory that was made here its mode. */
static int socket_set_dir_mode(const char *path, mode_t mode)
{
    struct stat st;
    _cleanup_(defs_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid != geteuid())
        return -EPERM;
    return fchmod(fd, mode) < 0 ? -errno : 0;
}

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
    int r = socket_set_dir_mode(copy, mode);
    return r < 0 ? err_errno(err, r, "%s", copy) : 0;
}

static int socket_make_dir_of(const struct socket_place *place, struct err *err)
{
    const char *slash = strrchr(place->path, '/');
    if (slash == place->path)
        return 0;
    _cleanup_(defs_freep) char *dir = strndup(place->path, (size_t)(slash - place->path));
    if (!dir)
        return err_set(err, -ENOMEM, "out of memory");
    return socket_make_dir(dir, place->dir_mode, err);
}

/* ---- the one of systemd ---- */

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

int socket_path(int fd, char **ret)
{
    struct sockaddr_un un;
    socklen_t len = sizeof(un);
    if (getsockname(fd, (struct sockaddr *)&un, &len) < 0)
        return -errno;
    size_t size = len > offsetof(struct sockaddr_un, sun_path)
                      ? len - offsetof(struct sockaddr_un, sun_path)
                      : 0;
    if (size == 0 || un.sun_path[0] != '/')
        return -ENOENT;
    *ret = strndup(un.sun_path, size);
    return *ret ? 0 : -ENOMEM;
}

/* ---- who is there ---- */

/* Connects without waiting: >= 0, or a negative errno; -EAGAIN: it listens, and its queue is full.
 */
static int socket_try(const struct unix_address *address)
{
    _cleanup_(defs_closep) int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address->un, address->len) < 0)
        return -errno;
    return TAKE_FD(fd);
}

bool socket_is_at(const char *path, const struct socket_file *file)
{
    struct stat st;
    return file->ino && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
           st.st_dev == file->dev && st.st_ino == file->ino;
}

/* The credentials of a listening socket are those of who called listen(2) last. */
bool socket_is_ours(const char *path, struct socket_file *ret)
{
    struct unix_address address;
    struct stat st;
    struct ucred cred;
    socklen_t size = sizeof(cred);
    if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) ||
        unix_address_init(&address, path, NULL) < 0)
        return false;
    _cleanup_(defs_closep) int fd = socket_try(&address);
    unix_address_done(&address);
    bool ours = fd == -EAGAIN ||
                (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 &&
                 cred.pid == getpid());
    if (ours)
        *ret = (struct socket_file){.dev = st.st_dev, .ino = st.st_ino};
    return ours;
}

/* ---- a new one ---- */

/* Removes a socket that nobody answers on. */
static int socket_clear(const char *path, int dir_fd, const char *name,
                        const struct unix_address *address, struct err *err)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, -errno, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, -EADDRINUSE, "%s: there is something that is no socket", path);
    _cleanup_(defs_closep) int fd = socket_try(address);
    if (fd >= 0 || fd == -EAGAIN)
        return err_set(err, -EADDRINUSE, "another aiod answers on %s", path);
    if (fd == -EPROTOTYPE)
        return err_set(err, -EADDRINUSE, "%s: there is a socket of another kind", path);
    if (fd != -ECONNREFUSED && fd != -ENOENT)
        return err_errno(err, fd, "%s", path);
    if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
        return err_errno(err, -errno, "%s", path);
    return 0;
}

/* Nobody can connect before it listens. */
static int socket_set_mode(const struct socket_place *place, int dir_fd, const char *name,
                           struct socket_file *ret)
{
    struct stat st;
    char path[64];
    _cleanup_(defs_closep) int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
        return -EPERM;
    *ret = (struct socket_file){.dev = st.st_dev, .ino = st.st_ino};
    if (place->group != (gid_t)-1 &&
        fchownat(fd, "", (uid_t)-1, place->group, AT_EMPTY_PATH) < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return chmod(path, place->mode) < 0 ? -errno : 0;
}

static int socket_make(const struct socket_place *place, int dir_fd, const char *name,
                       const struct unix_address *address, struct socket_file *ret,
                       struct err *err)
{
    _cleanup_(defs_closep) int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, -errno, "socket");
    /* the file gets the mode of the socket, less the umask */
    if (fchmod(fd, 0600) < 0 ||
        bind(fd, (const struct sockaddr *)&address->un, address->len) < 0)
        return err_errno(err, -errno, "%s", place->path);
    int r = socket_set_mode(place, dir_fd, name, ret);
    if (r == 0 && listen(fd, SOCKET_BACKLOG) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dir_fd, name, 0);
        return err_errno(err, r, "%s", place->path);
    }
    return TAKE_FD(fd);
}

int socket_bind(const struct socket_place *place, struct socket_file *ret, struct err *err)
{
    struct unix_address address;
    const char *name;
    int r = socket_make_dir_of(place, err);
    if (r < 0)
        return r;
    _cleanup_(defs_closep) int dir_fd = unix_address_split(place->path, &name, err);
    if (dir_fd < 0)
        return dir_fd;
    r = unix_address_init(&address, place->path,
                          err); /* as it is where it fits: ss(8) shows it */
    if (r < 0)
        return r;
    r = socket_clear(place->path, dir_fd, name, &address, err);
    if (r == 0)
        r = socket_make(place, dir_fd, name, &address, ret, err);
    unix_address_done(&address);
    return r;
}
