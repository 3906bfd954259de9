/* SPDX-License-Identifier: MIT */
/*
 * connection_out - the answers of one connection on their way to the client.
 *
 * Happy path: an answer is appended to `out` → flush_soon → once a turn: written at once, as much
 * as the kernel takes; the rest is libuv's until it is written → drained. Who does not read is
 * closed: with LIMIT_REPLY_BACKLOG_BYTES of its own, or as the worst of its user's when all
 * connections together have LIMIT_REPLY_BACKLOG_SUM.
 */
#include "daemon/control/connection.h"

#include "base/clock.h"

size_t connection_backlog(const struct connection *c)
{
    return c->out.len + (c->in_write ? c->writing.len : 0);
}

/* Keeps the sum of what all clients have not taken. */
static void connection_count_backlog(struct connection *c)
{
    size_t now = c->closing ? 0 : connection_backlog(c);
    c->control->backlog += now - c->counted;
    c->counted = now;
}

static void connection_set_drained(struct connection *c)
{
    struct aio_future *drained = TAKE_PTR(c->drained);
    if (drained && !aio_future_is_done(drained))
        aio_future_set_result(drained, NULL);
    aio_future_unref(drained);
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
    connection_count_backlog(c);
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
    struct connection *c = container_of(handle, struct connection, flush);
    uint64_t before = clock_awake();
    connection_write(c);
    connection_count_backlog(c);
    rounds_owe(&c->account, clock_awake() - before);
}

static void connection_close_unread(struct connection *c)
{
    log_warning(c->control->log, "uid %u (pid %u) does not read its answers: closed",
                c->peer->uid, c->peer->pid);
    connection_close(c);
}

/* The one of that uid that has taken least, if all of them together have taken too little. */
static struct connection *connection_worst_of(struct control *control, uint32_t uid)
{
    struct connection *worst = NULL;
    size_t sum = 0;
    list_for_each (it, &control->connections) {
        struct connection *c = container_of(it, struct connection, node);
        if (!connection_is_of(c, uid))
            continue;
        sum += c->counted;
        if (!worst || c->counted > worst->counted)
            worst = c;
    }
    return sum > LIMIT_REPLY_BACKLOG_PER_UID ? worst : NULL;
}

void connection_flush_soon(struct connection *c)
{
    if (c->closing)
        return;
    connection_count_backlog(c);
    struct connection *worst = c->counted > LIMIT_REPLY_BACKLOG_BYTES ? c : NULL;
    if (!worst && c->control->backlog > LIMIT_REPLY_BACKLOG_SUM)
        worst = connection_worst_of(c->control, c->peer->uid);
    if (worst)
        connection_close_unread(worst);
    if (!c->closing)
        aio_call_soon(&c->control->loop->sched, &c->flush);
}

void connection_out_init(struct connection *c)
{
    aio_handle_init(&c->flush, connection_flush);
}

void connection_out_close(struct connection *c)
{
    connection_count_backlog(c);
    connection_set_drained(c);
}

void connection_out_done(struct connection *c)
{
    aio_handle_cancel(&c->control->loop->sched, &c->flush);
    buf_done(&c->out);
    buf_done(&c->writing);
}
