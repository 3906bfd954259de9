/* SPDX-License-Identifier: MIT */
/*
 * peers - connections: accept, HELLO, their records.
 *
 * Whoever connects must be the one user that is served. A connection that says HELLO takes the
 * place of the one before; one that says nothing takes nobody's place, and when there are too
 * many of them the oldest is closed.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/spawner/server.h"

enum { PEER_CONTROL_FDS = 253 }; /* SCM_MAX_FD: no more can come in one message */

struct peer_message {
    struct record record;
    int fds[PEER_CONTROL_FDS]; /* owned */
    unsigned nfds;
    bool cut; /* descriptors were lost: there were none free */
};

static void peer_message_done(struct peer_message *m)
{
    for (unsigned i = 0; i < m->nfds; i++)
        close(m->fds[i]);
    m->nfds = 0;
}

void peers_drop(struct server *s, struct peer *peer)
{
    if (peer->fd < 0)
        return;
    close(peer->fd);
    peer->fd = -1;
    if (peer != s->aiod)
        return;
    s->aiod = NULL;
    s->blocked = false;
    outbox_clear(&s->outbox, &s->children);
}

bool peers_any(const struct server *s)
{
    for (unsigned i = 0; i < SERVER_PEERS; i++)
        if (s->peers[i].fd >= 0)
            return true;
    return false;
}

/* A free place, made free where there is none: by the oldest that has not said HELLO. */
static struct peer *peers_place(struct server *s)
{
    struct peer *oldest = NULL;
    for (unsigned i = 0; i < SERVER_PEERS; i++) {
        struct peer *peer = &s->peers[i];
        if (peer->fd < 0)
            return peer;
        if (peer != s->aiod && (!oldest || peer->turn < oldest->turn))
            oldest = peer;
    }
    peers_drop(s, oldest);
    return oldest;
}

static void peer_refuse(struct server *s, int fd, int err)
{
    struct record rec = {.type = RECORD_REFUSED, .refused = {.err = err}};
    if (err == EBUSY)
        memcpy(rec.refused.instance, s->instance, RECORD_UUID_BYTES);
    (void)outbox_send(fd, &rec); /* if it does not get there, the end of the connection does */
}

static void peer_admit(struct server *s, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
        cred.uid != s->config->peer_uid) {
        log_warning(&s->log, "connection of another user refused");
        peer_refuse(s, fd, EPERM);
        close(fd);
        return;
    }
    struct peer *peer = peers_place(s);
    *peer = (struct peer){
        .source.kind = SOURCE_PEER, .fd = fd, .pid = cred.pid, .turn = ++s->turns};
    s->was_connected = true;
    if (server_watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, &peer->source) < 0)
        peers_drop(s, peer);
}

void peers_accept(struct server *s)
{
    for (;;) {
        int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            peer_admit(s, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN)
            return;
        log_error(&s->log, "accept: %s", strerror(errno));
        server_watch(s, EPOLL_CTL_MOD, s->listener.fd, 0, &s->listening);
        server_retry_later(s);
        return;
    }
}

/* Whether an instance may not be served because another has commands here. What it has released,
 * or what a spawner before this one left, binds nobody: that is offered to its instance alone. */
static bool peer_instance_is_barred(const struct server *s, const uint8_t *instance)
{
    if (memcmp(instance, s->instance, RECORD_UUID_BYTES) == 0)
        return false;
    list_for_each (node, &s->children.all) {
        const struct child *child = container_of(node, struct child, all);
        if (!child->left && !child->released)
            return true;
    }
    return false;
}

static void peer_hello(struct server *s, struct peer *peer, const struct record *rec)
{
    int err = 0;
    if (rec->version != RECORD_VERSION)
        err = EPROTO;
    else if (peer_instance_is_barred(s, rec->hello.instance) && !revive_disown(s))
        err = EBUSY;
    if (err) {
        log_notice(&s->log, "connection of process %d refused: %s", peer->pid, strerror(err));
        peer_refuse(s, peer->fd, err);
        peers_drop(s, peer);
        return;
    }
    /* With its unread records: none of them may run after the LIST that is to come. */
    if (s->aiod)
        peers_drop(s, s->aiod);
    s->aiod = peer;
    s->revive.lost = false; /* this one's is there, whatever was removed */
    memcpy(s->instance, rec->hello.instance, RECORD_UUID_BYTES);

    struct record welcome = {.type = RECORD_WELCOME,
                             .version = RECORD_VERSION,
                             .welcome = {.pid = (uint32_t)getpid(), .uid = s->spawn.uid}};
    memcpy(welcome.welcome.spawner_id, s->id, RECORD_UUID_BYTES);
    if (outbox_send(peer->fd, &welcome) < 0)
        peers_drop(s, peer);
}

static void peer_collect_fds(struct peer_message *m, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (n > PEER_CONTROL_FDS - m->nfds)
            n = PEER_CONTROL_FDS - m->nfds;
        memcpy(m->fds + m->nfds, CMSG_DATA(c), n * sizeof(int));
        m->nfds += (unsigned)n;
    }
}

/* 1 and a message, 0 when there is none now, -ECONNRESET when it is over, -EPROTO when the
 * message is no record. The descriptors are in the message also after an error. */
static int peer_receive(const struct peer *peer, struct peer_message *m)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(PEER_CONTROL_FDS * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = &m->record, .iov_len = sizeof(m->record)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t n;

    m->nfds = 0;
    do
        n = recvmsg(peer->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -ECONNRESET;
    peer_collect_fds(m, &msg);
    m->cut = msg.msg_flags & MSG_CTRUNC;
    if (n == 0)
        return -ECONNRESET;
    return n == (ssize_t)sizeof(m->record) && !(msg.msg_flags & MSG_TRUNC) ? 1 : -EPROTO;
}

/* Returns a negative errno when the connection is to be closed. */
static int peer_take(struct server *s, struct peer *peer, const struct peer_message *m)
{
    if (peer == s->aiod)
        return request_take(s, &m->record, m->fds, m->nfds, m->cut);
    if (m->record.type != RECORD_HELLO || m->nfds || m->cut)
        return -EPROTO;
    peer_hello(s, peer, &m->record);
    return 0;
}

void peers_drain(struct server *s)
{
    if (s->aiod)
        shutdown(s->aiod->fd, SHUT_RD); /* what is sent from now on fails at its sender */
    while (s->aiod)
        peers_event(s, s->aiod); /* drops it at the end of what had come */
}

void peers_event(struct server *s, struct peer *peer)
{
    if (peer == s->aiod && s->blocked) {
        s->blocked = false;
        if (server_watch(s, EPOLL_CTL_MOD, peer->fd, EPOLLIN, &peer->source) < 0)
            peers_drop(s, peer);
        server_flush(s);
    }
    for (int i = 0; i < SERVER_READ_MAX && peer->fd >= 0; i++) {
        struct peer_message m;
        int got = peer_receive(peer, &m);
        int r = got > 0 ? peer_take(s, peer, &m) : got;
        peer_message_done(&m);
        if (r == -EPROTO)
            log_warning(&s->log, "connection of process %d closed: a record that must not be",
                        peer->pid);
        if (r < 0)
            peers_drop(s, peer);
        if (got <= 0)
            return;
    }
}
