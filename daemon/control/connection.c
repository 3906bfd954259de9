/* SPDX-License-Identifier: MIT */
/*
 * Happy path, in time order: read → its turn comes (rounds.h) → scan → a whole message →
 * call_start → … the call's task ends → its answer is appended to `out` → one write a turn of
 * the loop.
 *
 * It suspends reading while requests that it has read are not started, and while
 * LIMIT_REQUESTS_IN_FLIGHT or LIMIT_REQUEST_BYTES_IN_FLIGHT of them are not answered: the
 * kernel's buffer fills and the client waits.
 *
 * How it ends. Hung up, or an error: the calls are cancelled. End of file alone: what was asked is
 * still answered, then it is closed. A message over a limit, or a broken one: one error with msgid
 * 0, then closed. A client that does not read: closed when LIMIT_REPLY_BACKLOG_BYTES wait for it.
 */
#include "daemon/control/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "proto/rpc.h"

enum { CONNECTION_READ_BYTES = 64 * 1024 };

static void connection_update_reading(struct connection *c);

static void connection_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    struct control *control = c->control;
    list_remove(&c->node);
    control->count--;
    buf_done(&c->in);
    connection_out_done(c);
    peer_unref(c->peer);
    free(c);
    control_maybe_closed(control);
}

void connection_close(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    list_for_each_safe (it, &c->calls)
        call_abandon(container_of(it, struct call, node));
    rounds_leave(&c->control->rounds, &c->account);
    connection_out_close(c);
    c->hangup = aio_reader_free(c->hangup);
    defs_closep(&c->hangup_fd);
    uv_close((uv_handle_t *)&c->pipe, connection_closed);
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

/* When the disk is behind, who has several requests under way lets the others go first: what is
 * queued for it is done in order. */
static bool connection_is_held(const struct connection *c)
{
    return c->calls_count >= LIMIT_REQUESTS_WHEN_BUSY &&
           store_queue_length(c->control->tasks->store) >= LIMIT_STORE_BUSY_OPS;
}

/* The next whole message goes to its call. False: it has not come. */
static bool connection_start_next(struct connection *c)
{
    struct err err = ERR_INIT;
    size_t used = 0;
    int r = scan_feed(&c->scan, c->in.data + c->scanned, c->in.len - c->scanned, &used, &err);
    c->scanned += used;
    if (r < 0) {
        connection_fail(c, &err);
    } else if (r == SCAN_DONE) {
        if (call_start(c, c->in.data + c->begin, c->scanned - c->begin) < 0)
            connection_close(c);
        c->begin = c->scanned;
    }
    return r == SCAN_DONE && !c->closing;
}

/* What was started goes from the front of `in`: once a turn, not once a message. */
static void connection_consume(struct connection *c)
{
    buf_consume(&c->in, c->begin);
    c->scanned -= c->begin;
    c->begin = 0;
}

static bool connection_may_start(const struct connection *c)
{
    return !c->ending && !c->closing && c->scanned < c->in.len && !connection_full(c);
}

enum rounds_served connection_serve(struct rounds_account *account)
{
    struct connection *c = container_of(account, struct connection, account);
    if (connection_may_start(c)) {
        if (connection_is_held(c))
            return ROUNDS_HOLD;
        if (connection_start_next(c) && connection_may_start(c))
            return ROUNDS_MORE;
    }
    if (!c->closing) {
        connection_consume(c);
        connection_update_reading(c);
    }
    return ROUNDS_NONE;
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
    if (rounds_enter(&c->control->rounds, &c->account) < 0)
        connection_close(c);
    else
        connection_update_reading(c);
}

static void connection_update_reading(struct connection *c)
{
    if (c->closing || c->ending)
        return;
    bool want = !connection_full(c) && !rounds_waits(&c->account);
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
    call->charged_ns = rounds_charge(&c->control->rounds, &c->account, call->kind);
}

void connection_call_ended(struct connection *c, struct call *call)
{
    struct rounds *rounds = &c->control->rounds;
    c->calls_count--;
    c->calls_bytes -= call->size;
    rounds_settle(rounds, &c->account, call->kind, call->charged_ns, call->task->stats.run_ns);
    connection_flush_soon(c);
    if (c->closing || c->ending || connection_full(c))
        return;
    if (c->scanned < c->in.len && rounds_wait(rounds, &c->account) < 0)
        connection_close(c);
    else
        connection_update_reading(c);
}

/* ---- accepting ---- */

bool connection_is_of(const struct connection *c, uint32_t uid)
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
    rounds_account_init(&c->account);
    scan_init(&c->scan);
    connection_out_init(c);
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
