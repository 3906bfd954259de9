/* SPDX-License-Identifier: MIT */
/*
 * Happy path, in time order: read → scan → a whole message → call_start → … the call's task
 * ends → its answer is appended to `out` → one write a turn of the loop.
 *
 * It suspends reading while LIMIT_REQUESTS_IN_FLIGHT or LIMIT_REQUEST_BYTES_IN_FLIGHT of its
 * requests are not answered: the kernel's buffer fills and the client waits. How it ends: hung up, or an error: the calls
 * are cancelled. End of file alone: what was asked is still answered, then it is closed. A message over a limit, or a broken one: one
 * error with msgid 0, then closed. A client that does not read: closed when
 * LIMIT_REPLY_BACKLOG_BYTES wait for it.
 */
#include "daemon/control/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "proto/rpc.h"

enum { CONNECTION_READ_BYTES = 64 * 1024 };

static void connection_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    struct control *control = c->control;
    aio_handle_cancel(&control->loop->sched, &c->flush);
    list_remove(&c->node);
    control->count--;
    buf_done(&c->in);
    buf_done(&c->out);
    buf_done(&c->writing);
    peer_unref(c->peer);
    free(c);
    control_maybe_closed(control);
}

static void connection_set_drained(struct connection *c)
{
    struct aio_future *drained = TAKE_PTR(c->drained);
    if (drained && !aio_future_is_done(drained))
        aio_future_set_result(drained, NULL);
    aio_future_unref(drained);
}

void connection_close(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    list_for_each_safe (it, &c->calls)
        call_abandon(container_of(it, struct call, node));
    connection_set_drained(c);
    c->hangup = aio_reader_free(c->hangup);
    defs_closep(&c->hangup_fd);
    uv_close((uv_handle_t *)&c->pipe, connection_closed);
}

/* ---- writing ---- */

size_t connection_backlog(const struct connection *c)
{
    return c->out.len + (c->in_write ? c->writing.len : 0);
}

struct aio_future *connection_drained(struct connection *c)
{
    if (!c->drained)
        c->drained = aio_future_new(&c->control->loop->sched);
    return c->drained;
}

static void connection_write(struct connection *c);

static void connection_written(uv_write_t *write, int status)
{
    struct connection *c = write->data;
    c->in_write = false;
    buf_clear(&c->writing);
    if (status < 0)
        connection_close(c);
    else
        connection_write(c);
}

/* Sends what it can at once; the rest belongs to libuv until it is written. */
static void connection_write(struct connection *c)
{
    if (c->closing || c->in_write)
        return;
    if (!buf_ok(&c->out)) {
        connection_close(c); /* an answer was cut for want of memory */
        return;
    }
    if (c->out.len > 0) {
        uv_buf_t all = uv_buf_init((char *)c->out.data, (unsigned)c->out.len);
        int n = uv_try_write((uv_stream_t *)&c->pipe, &all, 1);
        if (n < 0 && n != UV_EAGAIN) {
            connection_close(c);
            return;
        }
        buf_consume(&c->out, n > 0 ? (size_t)n : 0);
    }
    if (c->out.len > 0) {
        struct buf swap = c->writing;
        c->writing = c->out;
        c->out = swap;
        uv_buf_t rest = uv_buf_init((char *)c->writing.data, (unsigned)c->writing.len);
        c->write.data = c;
        c->in_write = true;
        if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &rest, 1, connection_written) < 0)
            connection_close(c);
        return;
    }
    connection_set_drained(c);
    if (c->ending && list_empty(&c->calls))
        connection_close(c);
}

static void connection_flush(struct aio_handle *handle)
{
    connection_write(container_of(handle, struct connection, flush));
}

void connection_flush_soon(struct connection *c)
{
    if (c->closing)
        return;
    if (connection_backlog(c) > LIMIT_REPLY_BACKLOG_BYTES) {
        log_warning(c->control->log, "uid %u (pid %u) does not read its answers: closed",
                    c->peer->uid, c->peer->pid);
        connection_close(c);
        return;
    }
    aio_call_soon(&c->control->loop->sched, &c->flush);
}

void connection_end(struct connection *c)
{
    c->ending = true;
    if (c->reading && !c->closing)
        uv_read_stop((uv_stream_t *)&c->pipe);
    c->reading = false;
    connection_flush_soon(c);
}

void connection_fail(struct connection *c, const struct err *err)
{
    list_for_each_safe (it, &c->calls)
        call_abandon(container_of(it, struct call, node));
    rpc_write_error(&c->out, 0, err, NULL, c->errors_map);
    connection_end(c);
}

/* ---- reading ---- */

static bool connection_full(const struct connection *c)
{
    return c->calls_count >= LIMIT_REQUESTS_IN_FLIGHT ||
           c->calls_bytes >= LIMIT_REQUEST_BYTES_IN_FLIGHT;
}

/* Hands every whole message that has come to its call, unless too many are in flight. */
static void connection_parse(struct connection *c)
{
    size_t begin = 0;
    while (!c->ending && !c->closing && c->scanned < c->in.len && !connection_full(c)) {
        struct err err = ERR_INIT;
        size_t used = 0;
        int r =
            scan_feed(&c->scan, c->in.data + c->scanned, c->in.len - c->scanned, &used, &err);
        c->scanned += used;
        if (r < 0) {
            connection_fail(c, &err);
        } else if (r == SCAN_DONE) {
            if (call_start(c, c->in.data + begin, c->scanned - begin) < 0)
                connection_close(c);
            begin = c->scanned;
        }
    }
    if (c->closing)
        return;
    buf_consume(&c->in, begin);
    c->scanned -= begin;
}

static void connection_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct connection *c = handle->data;
    if (buf_reserve(&c->in, CONNECTION_READ_BYTES) < 0)
        *ret = uv_buf_init(NULL, 0);
    else
        *ret = uv_buf_init((char *)c->in.data + c->in.len, CONNECTION_READ_BYTES);
}

/* The end of its file: has it closed the connection, or only its own direction? unix(7) gives
 * POLLHUP when both are shut. */
static bool connection_hung_up(const struct connection *c)
{
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&c->pipe, &fd) < 0)
        return true;
    struct pollfd p = {.fd = fd};
    return poll(&p, 1, 0) != 0;
}

static void connection_gone(void *ctx, int events)
{
    (void)events;
    connection_close(ctx);
}

/* libuv watches a stream only while it reads. */
static int connection_watch_hangup(struct connection *c)
{
    uv_os_fd_t fd;
    int r = uv_fileno((const uv_handle_t *)&c->pipe, &fd);
    if (r < 0)
        return r;
    c->hangup_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (c->hangup_fd < 0)
        return -errno;
    return aio_reader_new(&c->hangup, c->control->loop, c->hangup_fd, AIO_HANGUP,
                          connection_gone, c);
}

static void connection_update_reading(struct connection *c);

static void connection_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *unused)
{
    (void)unused;
    struct connection *c = stream->data;
    if (n == UV_EOF && !connection_hung_up(c) && connection_watch_hangup(c) == 0) {
        connection_end(c); /* it asks no more, and still reads (shutdown(2), SHUT_WR) */
        return;
    }
    if (n < 0) {
        connection_close(c);
        return;
    }
    c->in.len += (size_t)n;
    connection_parse(c);
    connection_update_reading(c);
}

static void connection_update_reading(struct connection *c)
{
    if (c->closing || c->ending)
        return;
    bool want = !connection_full(c);
    if (want && !c->reading)
        c->reading =
            uv_read_start((uv_stream_t *)&c->pipe, connection_alloc, connection_read) == 0;
    else if (!want && c->reading)
        c->reading = uv_read_stop((uv_stream_t *)&c->pipe) != 0;
}

void connection_call_started(struct connection *c, struct call *call)
{
    list_push_back(&c->calls, &call->node);
    c->calls_count++;
    c->calls_bytes += call->size;
}

void connection_call_ended(struct connection *c, struct call *call)
{
    bool was_full = connection_full(c);
    c->calls_count--;
    c->calls_bytes -= call->size;
    connection_flush_soon(c);
    if (was_full && !connection_full(c) && !c->closing) {
        connection_parse(c);
        connection_update_reading(c);
    }
}

/* ---- accepting ---- */

/* One whose accept failed has no peer and waits for its close callback. */
static bool connection_is_of(const struct connection *c, uint32_t uid)
{
    return c->peer && c->peer->uid == uid;
}

static int connection_admit(struct control *control, const struct peer *peer, struct err *err)
{
    bool ours = peer->uid == control->owner_uid || peer->uid == 0;
    uint32_t limit = LIMIT_CONNECTIONS + (ours ? LIMIT_CONNECTIONS_RESERVED : 0);
    if (control->count > limit)
        return err_set(err, -EAGAIN, "%u connections are open, which is the limit", limit);
    if (ours)
        return 0;
    uint32_t same = 0;
    list_for_each (it, &control->connections)
        same += connection_is_of(container_of(it, struct connection, node), peer->uid);
    if (same > LIMIT_CONNECTIONS_PER_UID)
        return err_set(err, -EDQUOT, "uid %u has %u connections open, which is the limit",
                       peer->uid, LIMIT_CONNECTIONS_PER_UID);
    return 0;
}

int connection_accept(struct control *control, uv_stream_t *listener, struct err *err)
{
    struct connection *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(err, -ENOMEM, "out of memory");
    c->control = control;
    c->pipe.data = c;
    c->hangup_fd = -1;
    list_init(&c->calls);
    scan_init(&c->scan);
    aio_handle_init(&c->flush, connection_flush);
    int r = uv_pipe_init(&control->loop->uv, &c->pipe, 0);
    if (r < 0) {
        free(c);
        return err_errno(err, r, "accepting");
    }
    list_push_back(&control->connections, &c->node);
    control->count++;
    uv_os_fd_t fd;
    r = uv_accept(listener, (uv_stream_t *)&c->pipe);
    if (r == 0)
        r = uv_fileno((uv_handle_t *)&c->pipe, &fd);
    if (r < 0)
        err_errno(err, r, "accepting");
    else
        r = peer_new(&c->peer, fd, err);
    if (r < 0) {
        connection_close(c);
        return r;
    }
    struct err refusal = ERR_INIT;
    if (connection_admit(control, c->peer, &refusal) < 0) {
        log_debug(control->log, "a connection was refused: %s", refusal.msg);
        connection_fail(c, &refusal); /* so that the client can say why */
        return 0;
    }
    connection_update_reading(c);
    return 0;
}
