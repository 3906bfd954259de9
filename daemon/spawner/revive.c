/* SPDX-License-Identifier: MIT */
/*
 * revive - makes the socket again when somebody has removed it: the next aiod has to find it, and
 * with it the commands that run here.
 *
 * The happy path: inotify tells of the socket's own inode, so that nothing else in its directory
 * wakes the spawner → REVIVE_DELAY_MS, in which whoever removes the whole directory gets done →
 * look: missing? → listener_renew → watched again. (A directory can only be removed after the
 * socket in it; one that is moved takes the socket along.) How it fails: said once, and tried
 * again every REVIVE_RETRY_MS. For a spawner that is about to end no directory is made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/spawner/server.h"

enum { REVIVE_DELAY_MS = 50, REVIVE_RETRY_MS = 2000 };

static void revive_later(struct server *s, uint64_t ms)
{
    s->revive.at = clock_awake() + ms * NSEC_PER_MSEC;
}

static void revive_watch(struct server *s)
{
    char path[sizeof("/proc/self/fd/2147483647/") + sizeof(s->listener.name)];
    snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", s->listener.dirfd, s->listener.name);
    if (s->revive.fd < 0 ||
        inotify_add_watch(s->revive.fd, path,
                          IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_DONT_FOLLOW) >= 0)
        return;
    if (errno == ENOENT) /* already */
        revive_later(s, REVIVE_DELAY_MS);
    else
        log_warning(&s->log, "the socket is not watched: %s", strerror(errno));
}

void revive_open(struct server *s)
{
    s->revive.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (s->revive.fd < 0 ||
        server_watch(s, EPOLL_CTL_ADD, s->revive.fd, EPOLLIN, &s->reviving) < 0)
        log_warning(&s->log, "the socket is not watched: %s", strerror(errno));
    else
        revive_watch(s);
}

void revive_close(struct server *s)
{
    if (s->revive.fd >= 0)
        close(s->revive.fd);
    s->revive.fd = -1;
}

void revive_event(struct server *s)
{
    char bytes[1024];
    while (read(s->revive.fd, bytes, sizeof(bytes)) > 0)
        continue;
    if (!s->revive.at)
        revive_later(s, REVIVE_DELAY_MS);
}

/* What a spawner leaves belongs into the new directory, if it belonged into the old one. Then
 * aiod's state was there too: another instance will come. */
static void revive_statedir(struct server *s)
{
    struct stat st;
    if (fstat(s->statedir, &st) < 0 || st.st_nlink > 0 ||
        st.st_ino != s->listener.dir_was.st_ino || st.st_dev != s->listener.dir_was.st_dev)
        return;
    s->revive.lost = true;
    int fd = openat(s->listener.dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    close(s->statedir);
    s->statedir = fd;
}

bool revive_disown(struct server *s)
{
    if (!s->revive.lost)
        return false;
    s->revive.lost = false;
    log_notice(&s->log,
               "the state of the instance before was removed: %zu commands are left alone",
               s->children.running);
    list_for_each_safe (node, &s->children.all) {
        struct child *child = container_of(node, struct child, all);
        if (child->held || memcmp(child->instance, s->instance, RECORD_UUID_BYTES) != 0)
            continue;
        if (child_runs(child))
            child->released = true;
        else
            server_release(s, child);
    }
    return true;
}

static void revive_renew(struct server *s)
{
    struct err err = ERR_INIT;
    peers_accept(s); /* who connected before it was removed */
    int r = listener_is_there(&s->listener) ? 0 : listener_renew(&s->listener, &err);
    if (r == 0)
        r = server_watch(s, EPOLL_CTL_ADD, s->listener.fd, EPOLLIN, &s->listening);
    if (r == 0 || r == -EEXIST) {
        log_notice(&s->log, "the socket was removed: made it again");
        s->revive.told = false;
        revive_statedir(s);
        revive_watch(s);
        return;
    }
    if (!s->revive.told)
        log_error(&s->log, "the socket was removed and cannot be made again: %s",
                  err.code ? err.msg : strerror(-r));
    s->revive.told = true;
    revive_later(s, REVIVE_RETRY_MS);
}

void revive_check(struct server *s, uint64_t now)
{
    if (!s->revive.at || now < s->revive.at)
        return;
    s->revive.at = 0;
    if (s->phase != SERVER_SERVES || (listener_is_there(&s->listener) && !s->revive.told))
        return;
    if (s->idle_since && !listener_has_directory(&s->listener))
        return;
    revive_renew(s);
}
