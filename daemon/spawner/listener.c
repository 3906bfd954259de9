/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/spawner/address.h"

static int listener_busy(const struct listener *l, const char *path, struct err *err)
{
    char pid[16] = "";
    ssize_t n = pread(l->lockfd, pid, sizeof(pid) - 1, 0);
    pid[n > 0 ? n : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    if (!*pid) /* it has the lock and has not written yet */
        return err_set(err, -EBUSY, "%s is served by another aiod-spawner", path);
    return err_set(err, -EBUSY, "%s is served by another aiod-spawner, process %s", path, pid);
}

static int listener_lock(struct listener *l, const char *path, struct err *err)
{
    char name[sizeof(l->name) + sizeof(".lock")];
    snprintf(name, sizeof(name), "%s.lock", l->name);
    l->lockfd = openat(l->dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->lockfd < 0)
        return err_errno(err, -errno, "%s.lock", path);
    if (flock(l->lockfd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? listener_busy(l, path, err)
                                    : err_errno(err, -errno, "%s.lock", path);
    char pid[16];
    int len = snprintf(pid, sizeof(pid), "%d\n", getpid());
    if (ftruncate(l->lockfd, 0) < 0 || pwrite(l->lockfd, pid, (size_t)len, 0) != len)
        return err_errno(err, errno ? -errno : -EIO, "%s.lock", path);
    return 0;
}

/* Whoever left a socket there is gone: the lock is ours. */
static int listener_unlink_stale(struct listener *l, const char *path, struct err *err)
{
    struct stat st;
    if (fstatat(l->dirfd, l->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, -errno, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, -EADDRINUSE, "%s: there is something that is no socket", path);
    if (unlinkat(l->dirfd, l->name, 0) < 0)
        return err_errno(err, -errno, "%s", path);
    return 0;
}

/* Nobody can connect before listen, so that the socket's owner is right from the first moment.
 */
static int listener_bind(struct listener *l, const char *path, uid_t peer_uid, struct err *err)
{
    struct address address;
    int r = address_init(&address, path, err);
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address.un, address.len) < 0)
        r = -errno;
    else if (peer_uid != geteuid() &&
             fchownat(l->dirfd, l->name, peer_uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
        r = -errno;
    else if (listen(fd, LISTENER_BACKLOG) < 0)
        r = -errno;
    umask(old);
    address_done(&address);
    l->fd = fd;
    return r < 0 ? err_errno(err, r, "%s", path) : 0;
}

int listener_open(struct listener *l, const char *path, uid_t peer_uid, struct err *err)
{
    *l = (struct listener){.fd = -1, .lockfd = -1, .dirfd = -1};
    const char *name;
    l->dirfd = address_split(path, &name, err);
    if (l->dirfd < 0)
        return l->dirfd;
    if (strlen(name) >= sizeof(l->name) - sizeof(".lock"))
        return err_errno(err, -ENAMETOOLONG, "%s", path);
    snprintf(l->name, sizeof(l->name), "%s", name);
    int r = listener_lock(l, path, err);
    if (r == 0)
        r = listener_unlink_stale(l, path, err);
    if (r == 0)
        r = listener_bind(l, path, peer_uid, err);
    return r;
}

void listener_done(struct listener *l)
{
    if (l->fd >= 0) {
        unlinkat(l->dirfd, l->name, 0); /* the next one would do it too */
        close(l->fd);
    }
    if (l->lockfd >= 0)
        close(l->lockfd);
    if (l->dirfd >= 0)
        close(l->dirfd);
    l->fd = l->lockfd = l->dirfd = -1;
}
