/* SPDX-License-Identifier: MIT */
/*
 * Why this is enough while the path is there: a directory above it can only be removed when it is
 * empty, so the file itself is removed before (told by its directory); it can be moved
 * (IN_MOVE_SELF of its own); a symbolic link on the way can be replaced (IN_ATTRIB of the link,
 * whose count of names changes); and something can be mounted over any of them, or unmounted
 * (/proc/self/mountinfo).
 */
#include "daemon/service/path_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"

enum {
    PATH_WATCH_LINK = IN_MOVE_SELF | IN_ATTRIB | IN_DONT_FOLLOW,
    PATH_WATCH_ABOVE = IN_MOVE_SELF | IN_ONLYDIR,
    PATH_WATCH_ENTRIES = IN_MOVE_SELF | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR,
    PATH_WATCH_MISSING = PATH_WATCH_ENTRIES | IN_CREATE | IN_ATTRIB,
};

enum { PATH_WATCH_READ_BYTES = 16 * 1024 };

/* Reads all that is queued. True: something happened, besides that watches went away. */
static bool path_watch_drain(struct path_watch *w)
{
    _Alignas(struct inotify_event) char bytes[PATH_WATCH_READ_BYTES];
    bool happened = false;
    ssize_t n;
    while ((n = read(w->fd, bytes, sizeof(bytes))) > 0) {
        const struct inotify_event *event;
        for (const char *at = bytes; at < bytes + n; at += sizeof(*event) + event->len) {
            event = (const struct inotify_event *)(const void *)at;
            happened |= !(event->mask & IN_IGNORED);
        }
    }
    return happened;
}

static void path_watch_readable(void *ctx, int events)
{
    struct path_watch *w = ctx;
    (void)events;
    if (path_watch_drain(w))
        w->changed(w->ctx);
}

static void path_watch_mounted(void *ctx, int events)
{
    struct path_watch *w = ctx;
    (void)events;
    w->changed(w->ctx);
}

/* What is not there, or may not be read, is left out. */
static int path_watch_add(struct path_watch *w, const char *path, uint32_t mask)
{
    if (w->len == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 16;
        int *watches = realloc(w->watches, cap * sizeof(*watches));
        if (!watches)
            return -ENOMEM;
        w->watches = watches;
        w->cap = cap;
    }
    int wd = inotify_add_watch(w->fd, path, mask | IN_MASK_ADD);
    if (wd < 0)
        return errno == ENOSPC || errno == ENOMEM ? -errno : 0;
    w->watches[w->len++] = wd;
    return 0;
}

static int path_watch_add_directory(struct path_watch *w, const char *dir, bool own, bool there)
{
    struct stat st;
    uint32_t mask = own ? PATH_WATCH_ENTRIES : PATH_WATCH_ABOVE;
    int r = path_watch_add(w, dir, there ? mask : PATH_WATCH_MISSING);
    if (r == 0 && lstat(dir, &st) == 0 && S_ISLNK(st.st_mode))
        r = path_watch_add(w, dir, PATH_WATCH_LINK);
    return r;
}

/* Every directory above the path, from the root down to its own. */
static int path_watch_add_above(struct path_watch *w, const char *path, bool there)
{
    _cleanup_(defs_freep) char *dir = strdup(path);
    const char *last = strrchr(path, '/');
    int r = dir ? path_watch_add_directory(w, "/", last == path, there) : -ENOMEM;
    for (char *slash = dir; r == 0 && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        r = path_watch_add_directory(w, dir, slash - dir == last - path, there);
        *slash = '/';
    }
    return r;
}

/* The same for where symbolic links lead. */
static int path_watch_add_real(struct path_watch *w, bool there)
{
    char resolved[PATH_MAX + 2];
    const char *slash = strrchr(w->path, '/');
    _cleanup_(defs_freep) char *dir = strndup(w->path, (size_t)(slash - w->path) + 1);
    if (!dir)
        return -ENOMEM;
    if (!realpath(dir, resolved))
        return 0;
    strcat(resolved, "/"); /* there is room: PATH_MAX counts the NUL */
    return strcmp(resolved, dir) == 0 ? 0 : path_watch_add_above(w, resolved, there);
}

int path_watch_arm(struct path_watch *w, bool there)
{
    for (size_t i = 0; i < w->len; i++)
        inotify_rm_watch(w->fd, w->watches[i]);
    w->len = 0;
    path_watch_drain(w);
    int r = path_watch_add_above(w, w->path, there);
    return r < 0 ? r : path_watch_add_real(w, there);
}

int path_watch_init(struct path_watch *w, struct err *err)
{
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    w->mounts_fd = -1;
    if (w->fd < 0)
        return err_errno(err, -errno, "inotify");
    w->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    int r = aio_reader_new(&w->reader, w->loop, w->fd, AIO_READABLE, path_watch_readable, w);
    /* proc(5): poll(2) reports a change of it as POLLPRI, which is what AIO_HANGUP waits for */
    if (r == 0 && w->mounts_fd >= 0)
        r = aio_reader_new(&w->mounts, w->loop, w->mounts_fd, AIO_HANGUP, path_watch_mounted,
                           w);
    if (r < 0) {
        path_watch_done(w);
        return err_errno(err, r, "inotify");
    }
    return 0;
}

void path_watch_done(struct path_watch *w)
{
    if (!w->loop)
        return;
    w->reader = aio_reader_free(w->reader);
    w->mounts = aio_reader_free(w->mounts);
    defs_closep(&w->fd);
    defs_closep(&w->mounts_fd);
    free(w->watches);
    w->watches = NULL;
    w->len = w->cap = 0;
}
