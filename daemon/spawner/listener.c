/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/unix_address.h"

enum { LISTENER_PATH = 512 }; /* bytes of a path in a sentence */

/* The path of now, for sentences. */
static const char *listener_path(const struct listener *l, char text[LISTENER_PATH])
{
    snprintf(text, LISTENER_PATH, "%.255s%s%s", l->dir, l->dir[0] ? "/" : "", l->name);
    return text;
}

/* ---- the lock ---- */

static int listener_busy(const struct listener *l, int lockfd, struct err *err)
{
    char pid[16] = "";
    char path[LISTENER_PATH];
    ssize_t n = pread(lockfd, pid, sizeof(pid) - 1, 0);
    pid[n > 0 ? n : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    listener_path(l, path);
    if (!*pid) /* it has the lock and has not written yet */
        return err_set(err, -EBUSY, "%s is served by another aiod-spawner", path);
    return err_set(err, -EBUSY, "%s is served by another aiod-spawner, process %s", path, pid);
}

/* Takes the lock of the file that is open there. */
static int listener_take_lock(const struct listener *l, int fd, struct err *err)
{
    char path[LISTENER_PATH];
    char pid[16];
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? listener_busy(l, fd, err)
                                    : err_errno(err, -errno, "%s.lock", listener_path(l, path));
    int len = snprintf(pid, sizeof(pid), "%d\n", getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len)
        return err_errno(err, errno ? -errno : -EIO, "%s.lock", listener_path(l, path));
    return 0;
}

static bool listener_is_file(const struct listener *l, const char *name, const struct stat *of)
{
    struct stat st;
    return fstatat(l->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == of->st_dev &&
           st.st_ino == of->st_ino;
}

/* The lock of the file that has the name now, in the place of the one held before. */
static int listener_lock(struct listener *l, struct err *err)
{
    char name[sizeof(l->name) + sizeof(".lock")];
    char path[LISTENER_PATH];
    struct stat held;
    snprintf(name, sizeof(name), "%s.lock", l->name);
    if (l->lockfd >= 0 && fstat(l->lockfd, &held) == 0 && listener_is_file(l, name, &held))
        return 0;
    int fd = openat(l->dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, -errno, "%s.lock", listener_path(l, path));
    int r = listener_take_lock(l, fd, err);
    if (r < 0) {
        close(fd);
        return r;
    }
    if (l->lockfd >= 0)
        close(l->lockfd);
    l->lockfd = fd;
    return 0;
}

/* ---- the socket ---- */

/* Whoever left a socket there is gone: the lock is ours. */
static int listener_unlink_stale(const struct listener *l, struct err *err)
{
    struct stat st;
    char path[LISTENER_PATH];
    if (fstatat(l->dirfd, l->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, -errno, "%s", listener_path(l, path));
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, -EADDRINUSE, "%s: there is something that is no socket",
                       listener_path(l, path));
    if (unlinkat(l->dirfd, l->name, 0) < 0)
        return err_errno(err, -errno, "%s", listener_path(l, path));
    return 0;
}

/* Nobody can connect before listen, so that the socket's owner is right from the first moment.
 */
static int listener_bind(struct listener *l, const struct unix_address *address,
                         struct err *err)
{
    char path[LISTENER_PATH];
    int r = 0;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address->un, address->len) < 0)
        r = -errno;
    else if (l->peer_uid != geteuid() &&
             fchownat(l->dirfd, l->name, l->peer_uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
        r = -errno;
    else if (fstatat(l->dirfd, l->name, &l->file, AT_SYMLINK_NOFOLLOW) < 0 ||
             listen(fd, LISTENER_BACKLOG) < 0)
        r = -errno;
    umask(old);
    if (r < 0) {
        if (fd >= 0)
            close(fd);
        return err_errno(err, r, "%s", listener_path(l, path));
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    return 0;
}

static int listener_bind_path(struct listener *l, const char *path, struct err *err)
{
    struct unix_address address;
    int r = unix_address_init(&address, path, err);
    if (r < 0)
        return r;
    r = listener_bind(l, &address, err);
    unix_address_done(&address);
    return r;
}

static int listener_bind_again(struct listener *l, struct err *err)
{
    struct unix_address address;
    char path[LISTENER_PATH];
    int r = unix_address_at(&address, l->dirfd, l->name);
    return r < 0 ? err_errno(err, r, "%s", listener_path(l, path))
                 : listener_bind(l, &address, err);
}

/* ---- the directory ---- */

/* What it would take to make it again: /proc knows its path without symbolic links. */
static void listener_remember_dir(struct listener *l)
{
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", l->dirfd);
    ssize_t n = readlink(link, l->dir, sizeof(l->dir) - 1);
    if (n < 0 || n == (ssize_t)sizeof(l->dir) - 1 || fstat(l->dirfd, &l->dir_was) < 0)
        n = 0;
    l->dir[n] = '\0';
}

static int listener_take_dir(struct listener *l, bool made)
{
    struct stat st;
    int fd = open(l->dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = 0;
    if (made && (fchmodat(fd, ".", l->dir_was.st_mode & 07777, 0) < 0 ||
                 fchownat(fd, "", l->dir_was.st_uid, l->dir_was.st_gid, AT_EMPTY_PATH) < 0))
        r = -errno;
    else if (fstat(fd, &st) < 0)
        r = -errno;
    else if (st.st_uid != l->dir_was.st_uid)
        r = -EPERM; /* another user was faster, where they may make directories */
    if (r < 0) {
        close(fd);
        return r;
    }
    close(l->dirfd);
    l->dirfd = fd;
    return 0;
}

bool listener_has_directory(const struct listener *l)
{
    struct stat st;
    return fstat(l->dirfd, &st) == 0 && st.st_nlink > 0;
}

static int listener_renew_dir(struct listener *l, struct err *err)
{
    if (listener_has_directory(l))
        return 0;
    if (!l->dir[0])
        return err_set(err, -ENOENT, "the directory of %s is gone", l->name);
    bool made = mkdir(l->dir, 0700) == 0;
    int r = made || errno == EEXIST ? listener_take_dir(l, made) : -errno;
    return r < 0 ? err_errno(err, r, "%s", l->dir) : 0;
}

/* ---- all of it ---- */

int listener_open(struct listener *l, const char *path, uid_t peer_uid, struct err *err)
{
    *l = (struct listener){.fd = -1, .lockfd = -1, .dirfd = -1, .peer_uid = peer_uid};
    const char *name;
    l->dirfd = unix_address_split(path, &name, err);
    if (l->dirfd < 0)
        return l->dirfd;
    if (strlen(name) >= sizeof(l->name) - sizeof(".lock"))
        return err_errno(err, -ENAMETOOLONG, "%s", path);
    snprintf(l->name, sizeof(l->name), "%s", name);
    listener_remember_dir(l);
    int r = listener_lock(l, err);
    if (r == 0)
        r = listener_unlink_stale(l, err);
    if (r == 0)
        r = listener_bind_path(l, path, err);
    return r;
}

bool listener_is_there(const struct listener *l)
{
    return l->fd >= 0 && listener_is_file(l, l->name, &l->file);
}

int listener_renew(struct listener *l, struct err *err)
{
    int r = listener_renew_dir(l, err);
    if (r == 0)
        r = listener_lock(l, err);
    if (r == 0)
        r = listener_unlink_stale(l, err);
    if (r == 0)
        r = listener_bind_again(l, err);
    return r;
}

void listener_done(struct listener *l)
{
    if (listener_is_there(l))
        unlinkat(l->dirfd, l->name, 0); /* the next one would do it too */
    if (l->fd >= 0)
        close(l->fd);
    if (l->lockfd >= 0)
        close(l->lockfd);
    if (l->dirfd >= 0)
        close(l->dirfd);
    l->fd = l->lockfd = l->dirfd = -1;
}
