/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/spawner/exits.h"
#include "daemon/spawner/notify.h"

int server_watch(struct server *s, int op, int fd, uint32_t events, struct source *source)
{
    struct epoll_event ev = {.events = events, .data.ptr = source};
    return epoll_ctl(s->epfd, op, fd, &ev) < 0 ? -errno : 0;
}

void server_retry_later(struct server *s)
{
    if (!s->retry_at)
        s->retry_at = clock_awake() + SERVER_RETRY_MS * NSEC_PER_MSEC;
}

void server_watch_child(struct server *s, struct child *child)
{
    int op = child->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (server_watch(s, op, child->pidfd, EPOLLIN | EPOLLONESHOT, &child->source) == 0) {
        child->watched = true;
        return;
    }
    s->unwatched++;
    server_retry_later(s);
}

void server_forget(struct server *s, struct child *child)
{
    grace_stop(&s->grace, child);
    children_remove(&s->children, child);
}

void server_release(struct server *s, struct child *child)
{
    child->released = true;
    if (!grace_hold(&s->grace, child, clock_awake()))
        server_forget(s, child);
}

void server_grace(struct server *s, uint64_t now)
{
    struct child *child;
    while ((child = grace_pass(&s->grace, now)))
        server_forget(s, child);
}

static void server_child_event(struct server *s, struct child *child)
{
    if (!child_settle(child)) {
        server_watch_child(s, child);
        return;
    }
    s->children.running--;
    spawn_ended(&s->spawn, child);
    if (child->released) {
        server_release(s, child);
        return;
    }
    if (!s->aiod)
        return;
    outbox_owe(&s->outbox, child, false);
    server_flush(s);
}

void server_flush(struct server *s)
{
    if (!s->aiod || s->blocked || outbox_empty(&s->outbox))
        return;
    int r = outbox_flush(&s->outbox, s->aiod->fd);
    if (r == -EAGAIN) {
        s->blocked = true;
        r = server_watch(s, EPOLL_CTL_MOD, s->aiod->fd, EPOLLIN | EPOLLOUT, &s->aiod->source);
    }
    if (r < 0)
        peers_drop(s, s->aiod);
}

static void server_signals_event(struct server *s)
{
    struct signalfd_siginfo si;
    while (read(s->process.sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si))
        stop_signal(s);
}

static void server_dispatch(struct server *s, struct source *source)
{
    switch (source->kind) {
    case SOURCE_LISTENER:
        peers_accept(s);
        break;
    case SOURCE_SIGNALS:
        server_signals_event(s);
        break;
    case SOURCE_PEER:
        peers_event(s, container_of(source, struct peer, source));
        break;
    case SOURCE_REVIVE:
        revive_event(s);
        break;
    case SOURCE_CHILD:
        server_child_event(s, container_of(source, struct child, source));
        break;
    }
}

/* What could not be watched before: accept without descriptors, children without room. */
static void server_retry(struct server *s)
{
    s->retry_at = 0;
    server_watch(s, EPOLL_CTL_MOD, s->listener.fd, EPOLLIN, &s->listening);
    if (!s->unwatched)
        return;
    s->unwatched = 0;
    list_for_each (node, &s->children.all) {
        struct child *child = container_of(node, struct child, all);
        if (child_runs(child) && !child->watched)
            server_watch_child(s, child);
    }
}

static bool server_is_idle(const struct server *s)
{
    bool nothing = s->children.count == s->children.left ||
                   (s->revive.lost && s->children.running + s->grace.nheld == 0);
    return nothing && !peers_any(s);
}

static uint64_t server_idle_ends(const struct server *s)
{
    uint64_t ms = s->was_connected ? SERVER_IDLE_MS : SERVER_LONELY_MS;
    return s->idle_since + ms * NSEC_PER_MSEC;
}

static void server_check_idle(struct server *s, uint64_t now)
{
    if (!s->config->exit_when_idle || !server_is_idle(s))
        s->idle_since = 0;
    else if (!s->idle_since)
        s->idle_since = now;
    else if (now >= server_idle_ends(s))
        s->phase = SERVER_OVER;
}

/* Milliseconds until the next deadline, -1 if there is none. */
static int server_timeout(const struct server *s)
{
    uint64_t next = UINT64_MAX;
    if (s->phase != SERVER_SERVES)
        next = s->phase_ends;
    if (s->idle_since && server_idle_ends(s) < next)
        next = server_idle_ends(s);
    if (s->retry_at && s->retry_at < next)
        next = s->retry_at;
    if (grace_next(&s->grace) < next)
        next = grace_next(&s->grace);
    if (s->revive.at && s->revive.at < next)
        next = s->revive.at;
    if (next == UINT64_MAX)
        return -1;
    uint64_t now = clock_awake();
    return next <= now ? 0 : (int)((next - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static void server_timers(struct server *s)
{
    uint64_t now = clock_awake();
    if (s->retry_at && now >= s->retry_at)
        server_retry(s);
    server_grace(s, now);
    stop_check(s, now);
    if (s->phase == SERVER_SERVES)
        server_check_idle(s, now);
    revive_check(s, now);
}

static int server_save(struct server *s, struct err *err)
{
    revive_disown(s);
    int n = exits_save(s->statedir, &s->children, err);
    if (n > 0)
        log_info(&s->log, "%d outcomes left for the next spawner", n);
    return n < 0 ? n : 0;
}

int server_run(struct server *s, struct err *err)
{
    for (;;) {
        struct epoll_event events[SERVER_EVENTS];
        server_timers(s);
        if (s->phase == SERVER_OVER)
            return server_save(s, err);
        int n = epoll_wait(s->epfd, events, SERVER_EVENTS, server_timeout(s));
        if (n < 0 && errno != EINTR)
            return err_errno(err, -errno, "epoll");
        for (int i = 0; i < n; i++)
            server_dispatch(s, events[i].data.ptr);
    }
}

static int server_open_statedir(struct server *s, struct err *err)
{
    const char *dir = s->config->state_dir;
    if (dir)
        s->statedir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    else
        s->statedir = openat(s->listener.dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->statedir < 0)
        return err_errno(err, -errno, "%s", dir ? dir : "directory of the socket");
    return 0;
}

/* Relative paths are resolved before process_init leaves the directory; the lock is held before
 * the file is read. */
static int server_open_files(struct server *s, struct err *err)
{
    int r = listener_open(&s->listener, s->config->socket, s->config->peer_uid, err);
    if (r == 0)
        r = server_open_statedir(s, err);
    if (r == 0)
        r = process_init(&s->process, err);
    if (r < 0)
        return r;
    struct err warning = ERR_INIT;
    r = exits_load(s->statedir, &s->children, &warning);
    if (r < 0)
        log_error(&s->log, "%s", warning.msg);
    else if (r > 0)
        log_info(&s->log, "%d outcomes of the spawner before", r);
    return 0;
}

static int server_open_loop(struct server *s, struct err *err)
{
    s->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epfd < 0)
        return err_errno(err, -errno, "epoll");
    int r = server_watch(s, EPOLL_CTL_ADD, s->listener.fd, EPOLLIN, &s->listening);
    if (r == 0)
        r = server_watch(s, EPOLL_CTL_ADD, s->process.sigfd, EPOLLIN, &s->signals);
    return r < 0 ? err_errno(err, r, "epoll") : 0;
}

static void server_say_ready(struct server *s)
{
    static const char text[] = "READY=1\n";
    int fd = s->config->ready_fd;
    if (fd >= 0) {
        if (write(fd, text, sizeof(text) - 1) < 0)
            log_warning(&s->log, "ready-fd: %s", strerror(errno));
        close(fd);
    }
    int r = notify_send("READY=1");
    if (r < 0)
        log_warning(&s->log, "NOTIFY_SOCKET: %s", strerror(-r));
}

int server_open(struct server *s, const struct server_config *config, struct err *err)
{
    *s = (struct server){.config = config,
                         .process.sigfd = -1,
                         .listener = {.fd = -1, .lockfd = -1, .dirfd = -1},
                         .epfd = -1,
                         .statedir = -1,
                         .listening.kind = SOURCE_LISTENER,
                         .signals.kind = SOURCE_SIGNALS,
                         .reviving.kind = SOURCE_REVIVE,
                         .revive.fd = -1};
    for (unsigned i = 0; i < SERVER_PEERS; i++)
        s->peers[i].fd = -1;
    log_init(&s->log, "aiod-spawner");
    spawn_init(&s->spawn);
    outbox_init(&s->outbox);
    grace_init(&s->grace);
    list_init(&s->children.all);
    if (getrandom(s->id, sizeof(s->id), 0) != (ssize_t)sizeof(s->id))
        return err_set(err, -EIO, "no random bytes");
    int r = children_init(&s->children);
    if (r < 0)
        return err_errno(err, r, "children");
    r = server_open_files(s, err);
    if (r == 0)
        r = server_open_loop(s, err);
    if (r < 0)
        return r;
    revive_open(s);
    spawn_identify(&s->spawn);
    s->spawn.peer_uid = config->peer_uid;
    s->spawn.nofile = s->process.nofile;
    s->spawn.nofile_own = s->process.nofile_own;
    s->spawn.reset_oom = s->process.reset_oom;
    server_say_ready(s);
    return 0;
}

void server_close(struct server *s)
{
    for (unsigned i = 0; i < SERVER_PEERS; i++)
        peers_drop(s, &s->peers[i]);
    grace_done(&s->grace);
    children_done(&s->children);
    spawn_done(&s->spawn);
    process_done(&s->process);
    revive_close(s);
    if (s->epfd >= 0)
        close(s->epfd);
    if (s->statedir >= 0)
        close(s->statedir);
    listener_done(&s->listener);
}
