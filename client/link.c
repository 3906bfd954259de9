/* SPDX-License-Identifier: MIT */
/*
 * link - requests out, messages in, one at a time.
 *
 * In time order: link_request packs into `out`; link_wait sends that and reads until the
 * response it wants is there: poll on the socket and the watched descriptor, send, recv,
 * scanner, and each whole message is handled (a response is kept, a notification goes to its
 * callback). It blocks in poll alone. It fails when the daemon closes the connection, breaks the
 * protocol, or answers with msgid 0, its word for an error of the connection.
 */
#include "client/link.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "client/instance.h"
#include "proto/pack.h"

#define LINK_QUEUE_NS (20 * NSEC_PER_MSEC) /* between looks at a full queue of a socket */

struct reply *reply_free(struct reply *reply)
{
    if (!reply)
        return NULL;
    list_remove(&reply->in_link);
    unpacked_done(&reply->unpacked);
    free(reply->bytes);
    free(reply);
    return NULL;
}

static int link_out_of_memory(struct err *err)
{
    return err_set(err, -ENOMEM, "out of memory");
}

int link_init(struct link *l, int fd_taken, const char *name)
{
    *l = (struct link)LINK_INIT;
    list_init(&l->replies);
    scan_init(&l->scan);
    l->fd = fd_taken;
    l->name = strdup(name);
    if (l->name)
        return 0;
    link_done(l);
    return -ENOMEM;
}

/* Forgets the connection and what belongs to it. */
static void link_close(struct link *l)
{
    defs_closep(&l->fd);
    l->fd = -1;
    buf_done(&l->in);
    buf_done(&l->out);
    l->scanned = 0;
    while (l->replies.next && !list_empty(&l->replies))
        (void)reply_free(container_of(l->replies.next, struct reply, in_link));
}

/* A new connection to l->name; all that belonged to another one is forgotten. */
/* -EACCES: it is neither ours nor root's. */
static int link_check_owner(int fd, struct err *err)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return err_errno(err, -errno, "SO_PEERCRED");
    if (peer.uid == getuid() || peer.uid == 0)
        return 0;
    return err_set(err, -EACCES, "uid %u listens there", (unsigned)peer.uid);
}

int link_reopen(struct link *l, struct err *err)
{
    link_close(l);
    list_init(&l->replies);
    scan_init(&l->scan);
    l->lost = false;
    _cleanup_(defs_closep) int fd = instance_connect(l->name, err);
    int r = fd < 0 ? fd : l->own ? link_check_owner(fd, err) : 0;
    l->broken = r < 0;
    if (r < 0)
        return r;
    l->fd = TAKE_FD(fd);
    return 0;
}

int link_open(struct link *l, const char *path, struct err *err)
{
    char *name = strdup(path);
    if (!name)
        return link_out_of_memory(err);
    free(l->name);
    l->name = name;
    int r;
    while ((r = link_reopen(l, err)) == -EAGAIN) { /* the queue is full: somebody is busy */
        r = link_pause(l, LINK_QUEUE_NS, err);
        if (r < 0)
            return r;
    }
    return r;
}

void link_done(struct link *l)
{
    link_close(l);
    free(l->name);
    l->name = NULL;
}

int link_request(struct link *l, const char *method, const struct buf *params,
                 uint32_t *ret_msgid, struct err *err)
{
    size_t before = l->out.len;
    uint32_t msgid = ++l->last_msgid;
    rpc_write_request(&l->out, msgid, method);
    if (params && params->len > 0)
        buf_append(&l->out, params->data, params->len);
    else
        pack_map(&l->out, 0);
    if (!buf_ok(&l->out) || (params && !buf_ok(params)))
        return link_out_of_memory(err);
    if (l->out.len - before > LIMIT_MESSAGE_BYTES) {
        size_t size = l->out.len - before;
        l->out.len = before;
        return err_set(err, -EMSGSIZE, "the request has %zu bytes, at most %u fit into one",
                       size, LIMIT_MESSAGE_BYTES);
    }
    *ret_msgid = msgid;
    return 0;
}

int link_hello(struct link *l, uint32_t *ret_msgid, struct err *err)
{
    struct buf params = BUF_INIT;
    pack_map(&params, 3);
    pack_text(&params, "errors");
    pack_text(&params, "map");
    pack_text(&params, "version");
    pack_uint(&params, PROTO_VERSION);
    pack_text(&params, "client");
    pack_text(&params, "aioctl " AIOD_VERSION);
    int r = link_request(l, "hello", &params, ret_msgid, err);
    buf_done(&params);
    return r;
}

/* The connection is of no use any more. */
static int link_break(struct link *l, int code, struct err *err)
{
    l->broken = true;
    l->lost = code == -ECONNRESET || code == -EPIPE;
    if (l->lost)
        return err_set(err, -ECONNRESET,
                       "the event loop at %s went away before it answered; once it runs again, "
                       "`aioctl status` tells what it had accepted",
                       l->name);
    if (code == -ETIME)
        return err_set(err, code, "the event loop at %s does not answer", l->name);
    return err_errno(err, code, "the connection to %s failed", l->name);
}

/* Sends what the socket takes now. */
static int link_send(struct link *l, struct err *err)
{
    if (l->out.len == 0)
        return 0;
    ssize_t n = send(l->fd, l->out.data, l->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0 && errno != EPIPE && errno != ECONNRESET)
        return link_break(l, -errno, err);
    /* a socket that was closed: what the daemon said before can still be read */
    buf_consume(&l->out, n < 0 ? l->out.len : (size_t)n);
    return 0;
}

/* Keeps a response; the bytes are copied. */
static int link_keep_reply(struct link *l, const uint8_t *bytes, size_t len, struct err *err)
{
    _cleanup_(reply_freep) struct reply *reply = calloc(1, sizeof(*reply));
    if (!reply)
        return link_out_of_memory(err);
    list_init(&reply->in_link);
    reply->bytes = malloc(len);
    if (!reply->bytes)
        return link_out_of_memory(err);
    memcpy(reply->bytes, bytes, len);
    struct rpc_message message;
    int r = unpack(&reply->unpacked, reply->bytes, len);
    if (r == -ENOMEM)
        return link_out_of_memory(err);
    if (r == 0)
        r = rpc_read(&reply->unpacked, &message, err);
    if (r < 0)
        return r;
    if (message.msgid == 0) {
        l->broken = true;
        r = rpc_read_error(message.error, err);
        l->lost = r == -ESHUTDOWN;
        return r < 0 ? r : err_set(err, -EPROTO, "the event loop answered what nobody asked");
    }
    reply->msgid = message.msgid;
    reply->error = message.error;
    reply->result = message.result;
    list_push_back(&l->replies, &reply->in_link);
    reply = NULL;
    return 0;
}

static int link_handle(struct link *l, const uint8_t *bytes, size_t len, struct err *err)
{
    struct unpacked unpacked = UNPACKED_INIT;
    struct rpc_message message;
    int r = unpack(&unpacked, bytes, len);
    if (r < 0)
        err_errno(err, r, "a message of the event loop");
    else
        r = rpc_read(&unpacked, &message, err);
    if (r == 0 && message.type == RPC_NOTIFICATION && l->on_notification)
        r = l->on_notification(l->notification_arg, &message, err);
    else if (r == 0 && message.type == RPC_RESPONSE)
        r = link_keep_reply(l, bytes, len, err);
    unpacked_done(&unpacked);
    return r;
}

/* Handles one message if there is a whole one: 1, else 0. */
static int link_scan(struct link *l, struct err *err)
{
    if (l->scanned == l->in.len)
        return 0;
    size_t used = 0;
    int r = scan_feed(&l->scan, l->in.data + l->scanned, l->in.len - l->scanned, &used, err);
    if (r < 0) {
        l->broken = true;
        return err_prefix(err, "the answer of the event loop at %s", l->name);
    }
    l->scanned += used;
    if (r == SCAN_MORE)
        return 0;
    size_t len = l->scanned;
    r = link_handle(l, l->in.data, len, err);
    buf_consume(&l->in, len);
    l->scanned = 0;
    return r < 0 ? r : 1;
}

static int link_receive(struct link *l, struct err *err)
{
    if (buf_reserve(&l->in, LINK_READ_BYTES) < 0)
        return link_out_of_memory(err);
    ssize_t n = recv(l->fd, l->in.data + l->in.len, LINK_READ_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0)
        return link_break(l, n == 0 ? -ECONNRESET : -errno, err);
    l->in.len += (size_t)n;
    return 0;
}

/* For poll: milliseconds until then, rounded up; -1: for ever. */
static int link_timeout(uint64_t deadline_ns)
{
    uint64_t now = clock_awake();
    if (deadline_ns == 0)
        return -1;
    uint64_t ms = deadline_ns > now ? (deadline_ns - now) / NSEC_PER_MSEC + 1 : 0;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Waits for something to happen and takes it in. 1: nothing did until then (0: for ever). */
static int link_poll(struct link *l, uint64_t until_ns, struct err *err)
{
    short events = l->out.len > 0 ? POLLIN | POLLOUT : POLLIN;
    struct pollfd fds[] = {{.fd = l->fd, .events = events},
                           {.fd = l->watch_fd, .events = POLLIN}};
    int n = poll(fds, ARRAY_SIZE(fds), link_timeout(until_ns));
    if (n < 0)
        return errno == EINTR ? 0 : link_break(l, -errno, err);
    if (n == 0)
        return 1;
    if (fds[1].revents) {
        int r = l->on_watch(l->watch_arg, err);
        if (r < 0)
            return r;
    }
    return fds[0].revents & ~POLLOUT ? link_receive(l, err) : 0;
}

int link_idle(struct link *l, uint64_t ns, struct err *err)
{
    uint64_t until = clock_awake() + ns;
    size_t before = l->in.len;
    int r = 0;
    while (r == 0 && l->in.len == before) {
        r = link_send(l, err);
        if (r == 0)
            r = link_poll(l, until, err);
    }
    return r;
}

int link_pause(struct link *l, uint64_t ns, struct err *err)
{
    struct pollfd watched = {.fd = l->watch_fd, .events = POLLIN};
    if (poll(&watched, 1, link_timeout(clock_awake() + ns)) <= 0)
        return 0;
    return l->on_watch(l->watch_arg, err);
}

/* 0: any. */
static struct reply *link_find(struct link *l, uint32_t msgid)
{
    list_for_each (it, &l->replies) {
        struct reply *reply = container_of(it, struct reply, in_link);
        if (reply->msgid == msgid || msgid == 0)
            return reply;
    }
    return NULL;
}

/* The response to this request, or with 0 the first one, once it is there. */
static int link_await(struct link *l, uint32_t msgid, struct reply **ret, struct err *err)
{
    while (!(*ret = link_find(l, msgid))) {
        if (l->broken)
            return err->code < 0 ? err->code : link_break(l, -ECONNRESET, err);
        int r = link_send(l, err);
        if (r == 0)
            r = link_scan(l, err);
        if (r == 0 && (r = link_poll(l, l->deadline_ns, err)) > 0)
            r = link_break(l, -ETIME, err);
        if (r < 0)
            return r;
    }
    list_remove(&(*ret)->in_link);
    return 0;
}

/* Gives a reply away, or its error. */
static int link_give(struct reply *reply, struct reply **ret, struct err *err)
{
    int r = rpc_read_error(reply->error, err);
    if (r == 0 && ret)
        *ret = reply;
    else
        (void)reply_free(reply);
    return r;
}

int link_wait(struct link *l, uint32_t msgid, struct reply **ret, struct err *err)
{
    struct reply *reply;
    int r = link_await(l, msgid, &reply, err);
    return r < 0 ? r : link_give(reply, ret, err);
}

int link_wait_any(struct link *l, uint32_t *ret_msgid, struct reply **ret, struct err *err)
{
    struct reply *reply;
    *ret_msgid = 0;
    int r = link_await(l, 0, &reply, err);
    if (r < 0)
        return r;
    *ret_msgid = reply->msgid;
    return link_give(reply, ret, err);
}
