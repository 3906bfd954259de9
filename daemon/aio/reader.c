/* SPDX-License-Identifier: MIT */
#include "daemon/aio/reader.h"

#include <errno.h>
#include <stdlib.h>

struct aio_reader {
    uv_poll_t poll;
    void (*fn)(void *ctx, int events);
    void *ctx; /* borrowed */
    int events;
};

static void reader_ready(uv_poll_t *poll, int status, int events)
{
    struct aio_reader *r = poll->data;
    int ready = 0;
    if (status < 0 || (events & (UV_READABLE | UV_DISCONNECT)))
        ready |= AIO_READABLE;
    if (events & UV_WRITABLE)
        ready |= AIO_WRITABLE;
    if (events & UV_PRIORITIZED)
        ready |= AIO_HANGUP;
    r->fn(r->ctx, ready);
}

static int reader_start(struct aio_reader *r)
{
    int events = 0;
    if (r->events & AIO_READABLE)
        events |= UV_READABLE;
    if (r->events & AIO_WRITABLE)
        events |= UV_WRITABLE;
    if (r->events & AIO_HANGUP)
        events |= UV_PRIORITIZED; /* never comes by itself; the kernel adds POLLHUP */
    return uv_poll_start(&r->poll, events, reader_ready);
}

static void reader_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int aio_reader_new(struct aio_reader **ret, struct aio_loop *loop, int fd, int events,
                   void (*fn)(void *ctx, int events), void *ctx)
{
    struct aio_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    *r = (struct aio_reader){.fn = fn, .ctx = ctx, .events = events};
    int err = uv_poll_init(&loop->uv, &r->poll, fd);
    if (err < 0) {
        free(r);
        return err;
    }
    r->poll.data = r;
    err = reader_start(r);
    if (err < 0) {
        uv_close((uv_handle_t *)&r->poll, reader_closed);
        return err;
    }
    *ret = r;
    return 0;
}

int aio_reader_set(struct aio_reader *r, int events)
{
    if (r->events == events)
        return 0;
    r->events = events;
    return reader_start(r);
}

struct aio_reader *aio_reader_free(struct aio_reader *r)
{
    if (r)
        uv_close((uv_handle_t *)&r->poll, reader_closed);
    return NULL;
}
