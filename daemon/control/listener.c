/* SPDX-License-Identifier: MIT */
/*
 * Happy path: readable → accept → who is it → a connection of its own.
 * Failure: no descriptor or no memory left: libuv accepts and drops the connection (its reserve
 * descriptor), the socket goes on listening. Over a limit: closed at once.
 */
#include "daemon/control/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/control/connection.h"

enum { LISTENER_BACKLOG = 1024 };

static void listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    struct control *control = l->control;
    list_remove(&l->node);
    free(l);
    control_maybe_closed(control);
}

void listener_close(struct listener *l)
{
    if (!uv_is_closing((uv_handle_t *)&l->pipe))
        uv_close((uv_handle_t *)&l->pipe, listener_closed);
}

static void listener_ready(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    if (status < 0) {
        log_warning(l->control->log, "cannot accept a connection: %s", uv_strerror(status));
        return;
    }
    struct err err = ERR_INIT;
    if (connection_accept(l->control, stream, &err) < 0)
        log_warning(l->control->log, "a connection was refused: %s", err.msg);
}

int listener_new(struct control *control, int fd, struct listener **ret, struct err *err)
{
    struct listener *l = calloc(1, sizeof(*l));
    if (!l) {
        close(fd);
        return err_set(err, -ENOMEM, "out of memory");
    }
    l->control = control;
    l->pipe.data = l;
    int r = uv_pipe_init(&control->loop->uv, &l->pipe, 0);
    if (r < 0) {
        close(fd);
        free(l);
        return err_errno(err, r, "listening");
    }
    list_push_back(&control->listeners, &l->node);
    r = uv_pipe_open(&l->pipe, fd);
    if (r < 0)
        close(fd);
    else
        r = uv_listen((uv_stream_t *)&l->pipe, LISTENER_BACKLOG, listener_ready);
    if (r < 0) {
        listener_close(l);
        return err_errno(err, r, "listening");
    }
    *ret = l;
    return 0;
}
