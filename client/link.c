/* SPDX-License-Identifier: MIT */
/*
 * link - requests out, messages in, one at a time.
 *
 * In time order: link_request packs into `out`; link_wait sends that, then reads until the
 * response it wants is there: poll on the socket and the watched descriptor, recv, scanner, and
 * each whole message is handled (a response is kept, a notification goes to its callback). It
 * blocks in poll and in send. It fails when the daemon closes the connection, breaks the
 * protocol, or answers with msgid 0, its word for an error of the connection.
 */
#include "client/link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "client/instance.h"
#include "proto/pack.h"

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

int link_open(struct link *l, const char *path, struct err *err)
{
    *l = (struct link)LINK_INIT;
    int fd = instance_connect(path, err);
    if (fd < 0) {
        l->broken = true;
        return fd;
    }
    return link_init(l, fd, path) < 0 ? link_out_of_memory(err) : 0;
}

void link_done(struct link *l)
{
    defs_closep(&l->fd);
    l->fd = -1;
    free(l->name);
    l->name = NULL;
    buf_done(&l->in);
    buf_done(&l->out);
    while (l->replies.next && !list_empty(&l->replies))
        (void)reply_free(container_of(l->replies.next, struct reply, in_link));
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
    if (code == -ECONNRESET || code == -EPIPE)
        return err_set(err, -ECONNRESET,
                       "the event loop at %s went away before it answered; once it runs again, "
                       "`aioctl status` tells what it had accepted",
                       l->name);
    return err_errno(err, code, "the connection to %s failed", l->name);
}

static int link_flush(struct link *l, struct err *err)
{
    size_t sent = 0;
    while (sent < l->out.len) {
        ssize_t n = send(l->fd, l->out.data + sent, l->out.len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            break; /* what the daemon said before it closed can still be read */
        if (n < 0)
            return link_break(l, -errno, err);
        sent += (size_t)n;
    }
    buf_clear(&l->out);
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

/* Waits for something to happen and takes it in. */
static int link_poll(struct link *l, struct err *err)
{
    struct pollfd fds[] = {{.fd = l->fd, .events = POLLIN},
                           {.fd = l->watch_fd, .events = POLLIN}};
    if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
        return errno == EINTR ? 0 : link_break(l, -errno, err);
    if (fds[1].revents) {
        int r = l->on_watch(l->watch_arg, err);
        if (r < 0)
            return r;
    }
    return fds[0].revents ? link_receive(l, err) : 0;
}

static struct reply *link_find(struct link *l, uint32_t msgid)
{
    list_for_each (it, &l->replies) {
        struct reply *reply = container_of(it, struct reply, in_link);
        if (reply->msgid == msgid)
            return reply;
    }
    return NULL;
}

int link_wait(struct link *l, uint32_t msgid, struct reply **ret, struct err *err)
{
    struct reply *reply;
    while (!(reply = link_find(l, msgid))) {
        if (l->broken)
            return err->code < 0 ? err->code : link_break(l, -ECONNRESET, err);
        int r = link_flush(l, err);
        if (r == 0)
            r = link_scan(l, err);
        if (r == 0)
            r = link_poll(l, err);
        if (r < 0)
            return r;
    }
    list_remove(&reply->in_link);
    int r = rpc_read_error(reply->error, err);
    if (r == 0 && ret)
        *ret = reply;
    else
        (void)reply_free(reply);
    return r;
}
