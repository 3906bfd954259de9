/* SPDX-License-Identifier: MIT */
/*
 * client - see client.h. In time order: connect sends HELLO; WELCOME is answered with LIST;
 * LIST_END opens the queue. A send that fails for good is left in the queue: the descriptor
 * then polls readable or writable, and the owner hears of it from there.
 */
#include "daemon/spawner/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/unix_address.h"

struct client_item {
    struct list node;
    struct record record;
    int fds[RECORD_MAX_FDS]; /* owned */
    unsigned nfds;
};

static void client_item_free(struct client_item *item)
{
    for (unsigned i = 0; i < item->nfds; i++)
        close(item->fds[i]);
    free(item);
}

void spawner_client_init(struct spawner_client *c, const struct spawner_events *events,
                         void *ctx)
{
    *c = (struct spawner_client){.events = events, .ctx = ctx, .fd = -1};
    list_init(&c->queue);
}

void spawner_client_done(struct spawner_client *c)
{
    struct list *node;
    while ((node = list_pop_front(&c->queue)))
        client_item_free(container_of(node, struct client_item, node));
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->queued = 0;
    c->in_flight = 0;
    c->live = false;
}

void spawner_client_drop_queue(struct spawner_client *c)
{
    struct list *node;
    while ((node = list_pop_front(&c->queue))) {
        struct client_item *item = container_of(node, struct client_item, node);
        if (item->record.type == RECORD_SPAWN && c->events->unsent)
            c->events->unsent(c->ctx, item->record.token);
        client_item_free(item);
    }
    c->queued = 0;
}

static void client_lost(struct spawner_client *c, const struct err *err)
{
    spawner_client_drop_queue(c);
    spawner_client_done(c);
    c->events->lost(c->ctx, err);
}

static int client_send(int fd, const struct record *record, const int *fds, unsigned nfds)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(RECORD_MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)record, .iov_len = sizeof(*record)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (nfds) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, nfds * sizeof(int));
    }
    ssize_t n;
    do
        n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* What listens there sees specs and output files: it must be this user or root. */
static int client_check_peer(int fd, struct err *err)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return err_errno(err, -errno, "peer");
    if (cred.uid != 0 && cred.uid != geteuid())
        return err_set(err, -EPERM, "it belongs to user %u", cred.uid);
    return 0;
}

static int client_open(const char *path, struct err *err)
{
    struct unix_address address;
    int r = unix_address_init(&address, path, err);
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        r = err_errno(err, -errno, "socket");
    else if (connect(fd, (struct sockaddr *)&address.un, address.len) < 0)
        r = err_errno(err, -errno, "connect");
    else
        r = client_check_peer(fd, err);
    unix_address_done(&address);
    if (r == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return r;
}

int spawner_client_connect(struct spawner_client *c, const char *path,
                           const uint8_t instance[RECORD_UUID_BYTES], struct err *err)
{
    if (c->fd >= 0)
        return err_set(err, -EISCONN, "spawner %s: connected already", path);
    int fd = client_open(path, err);
    if (fd < 0) {
        err_prefix(err, "spawner %s", path);
        return fd;
    }
    struct record hello = {.type = RECORD_HELLO, .version = RECORD_VERSION};
    memcpy(hello.hello.instance, instance, RECORD_UUID_BYTES);
    int r = client_send(fd, &hello, NULL, 0);
    /* EPIPE: refused before it was asked; why is waiting to be read. */
    if (r < 0 && r != -EPIPE) {
        close(fd);
        return err_errno(err, r, "spawner %s: hello", path);
    }
    c->fd = fd;
    return 0;
}

static bool client_may_send(const struct spawner_client *c)
{
    if (c->fd < 0 || !c->live || list_empty(&c->queue))
        return false;
    struct client_item *item = container_of(c->queue.next, struct client_item, node);
    return item->record.type != RECORD_SPAWN || c->in_flight < LIMIT_SPAWNS_IN_FLIGHT;
}

bool spawner_client_wants_write(const struct spawner_client *c)
{
    return client_may_send(c);
}

/* 0 when nothing more can be sent now, or the errno that ends the connection. */
static int client_flush(struct spawner_client *c)
{
    while (client_may_send(c)) {
        struct client_item *item = container_of(c->queue.next, struct client_item, node);
        int r = client_send(c->fd, &item->record, item->fds, item->nfds);
        if (r == -EAGAIN)
            return 0;
        if (r < 0)
            return r;
        if (item->record.type == RECORD_SPAWN)
            memcpy(c->unanswered[c->in_flight++], item->record.token, RECORD_TOKEN_BYTES);
        list_remove(&item->node);
        c->queued--;
        client_item_free(item);
    }
    return 0;
}

void spawner_client_writable(struct spawner_client *c)
{
    struct err err = ERR_INIT;
    int r = client_flush(c);
    if (r == 0)
        return;
    err_errno(&err, r, "spawner: send");
    client_lost(c, &err);
}

/* STARTED, FAILED or EXITED, whichever comes first, answers a SPAWN. */
static void client_answered(struct spawner_client *c, const struct record *rec)
{
    for (unsigned i = 0; i < c->in_flight; i++) {
        if (memcmp(c->unanswered[i], rec->token, RECORD_TOKEN_BYTES) != 0)
            continue;
        c->in_flight--;
        if (i != c->in_flight)
            memcpy(c->unanswered[i], c->unanswered[c->in_flight], RECORD_TOKEN_BYTES);
        return;
    }
}

static int client_welcome(struct spawner_client *c, const struct record *rec, struct err *err)
{
    if (rec->version != RECORD_VERSION)
        return err_set(err, -EPROTO, "spawner: it speaks version %u, not %d", rec->version,
                       RECORD_VERSION);
    struct record list = {.type = RECORD_LIST};
    int r = client_send(c->fd, &list, NULL, 0);
    if (r < 0)
        return err_errno(err, r, "spawner: list");
    c->events->welcome(c->ctx, rec);
    return 0;
}

static int client_refused(const struct record *rec, struct err *err)
{
    switch (rec->refused.err) {
    case EBUSY:
        return err_set(err, -EBUSY, "spawner: it has commands of another instance");
    case EPROTO:
        return err_set(err, -EPROTO, "spawner: it speaks another version than %d",
                       RECORD_VERSION);
    case EPERM:
        return err_set(err, -EPERM, "spawner: it serves another user");
    default:
        return err_set(err, -ECONNREFUSED, "spawner: it refused: %s",
                       strerror(rec->refused.err));
    }
}

/* 0, or a negative errno with a sentence: the connection is over. */
static int client_take(struct spawner_client *c, const struct record *rec, struct err *err)
{
    switch (rec->type) {
    case RECORD_WELCOME:
        return client_welcome(c, rec, err);
    case RECORD_REFUSED:
        return client_refused(rec, err);
    case RECORD_LIST_END:
        c->live = true;
        c->events->list_end(c->ctx);
        return 0;
    case RECORD_STARTED:
        client_answered(c, rec);
        c->events->started(c->ctx, rec);
        return 0;
    case RECORD_FAILED:
        client_answered(c, rec);
        c->events->failed(c->ctx, rec);
        return 0;
    case RECORD_EXITED:
        client_answered(c, rec);
        c->events->exited(c->ctx, rec);
        return 0;
    default:
        return err_set(err, -EPROTO, "spawner: a record of unknown type %u", rec->type);
    }
}

/* 1 and a record, 0 when there is none now, or a negative errno with a sentence. */
static int client_receive(struct spawner_client *c, struct record *rec, struct err *err)
{
    bool reset = false;
    for (;;) {
        ssize_t n = recv(c->fd, rec, sizeof(*rec), MSG_DONTWAIT | MSG_TRUNC);
        if (n == (ssize_t)sizeof(*rec))
            return 1;
        if (n > 0)
            return err_set(err, -EPROTO, "spawner: a record of %zd bytes", n);
        if (n == 0)
            return err_set(err, -ECONNRESET, "spawner: it closed the connection");
        if (errno == EAGAIN)
            return 0;
        /* It closed with records of ours unread: what it had said before comes behind that. */
        if (errno == EINTR || (errno == ECONNRESET && !reset)) {
            reset = errno == ECONNRESET;
            continue;
        }
        return err_errno(err, -errno, "spawner: receive");
    }
}

void spawner_client_readable(struct spawner_client *c)
{
    struct err err = ERR_INIT;
    int r = 0;

    for (int i = 0; i < CLIENT_READ_MAX && c->fd >= 0; i++) {
        struct record rec;
        r = client_receive(c, &rec, &err);
        if (r > 0)
            r = client_take(c, &rec, &err) < 0 ? err.code : 1;
        if (r <= 0)
            break;
    }
    if (r < 0)
        client_lost(c, &err);
    else
        spawner_client_writable(c);
}

/* Takes the descriptors also on failure. */
static int client_queue(struct spawner_client *c, const struct record *rec, const int *fds,
                        unsigned nfds)
{
    int r = c->fd < 0 ? -ENOTCONN : 0;
    struct client_item *item = r < 0 ? NULL : calloc(1, sizeof(*item));
    if (!item) {
        for (unsigned i = 0; i < nfds; i++)
            close(fds[i]);
        return r < 0 ? r : -ENOMEM;
    }
    item->record = *rec;
    item->nfds = nfds;
    for (unsigned i = 0; i < nfds; i++)
        item->fds[i] = fds[i];
    list_push_back(&c->queue, &item->node);
    c->queued++;
    (void)client_flush(c); /* a broken connection is reported from readable or writable */
    return 0;
}

int spawner_client_spawn(struct spawner_client *c, const struct spawn_request *req)
{
    struct record rec = {.type = RECORD_SPAWN,
                         .spawn = {.task = req->task,
                                   .attempt = req->attempt,
                                   .uid = req->uid,
                                   .gid = req->gid,
                                   .flags = req->err_fd < 0 ? SPAWN_MERGE : 0}};
    int fds[RECORD_MAX_FDS] = {req->spec_fd, req->out_fd, req->err_fd};
    memcpy(rec.token, req->token, RECORD_TOKEN_BYTES);
    return client_queue(c, &rec, fds, req->err_fd < 0 ? 2 : 3);
}

int spawner_client_signal(struct spawner_client *c, const uint8_t token[RECORD_TOKEN_BYTES],
                          int signo, uint32_t grace_ms)
{
    struct record rec = {.type = RECORD_SIGNAL,
                         .signal = {.signo = signo, .grace_ms = grace_ms}};
    memcpy(rec.token, token, RECORD_TOKEN_BYTES);
    return client_queue(c, &rec, NULL, 0);
}

int spawner_client_release(struct spawner_client *c, const uint8_t token[RECORD_TOKEN_BYTES])
{
    struct record rec = {.type = RECORD_RELEASE};
    memcpy(rec.token, token, RECORD_TOKEN_BYTES);
    return client_queue(c, &rec, NULL, 0);
}
