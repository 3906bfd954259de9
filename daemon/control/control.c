/* SPDX-License-Identifier: MIT */
#include "daemon/control/control.h"

#include "daemon/control/connection.h"
#include "daemon/control/listener.h"

void control_init(struct control *control)
{
    list_init(&control->listeners);
    list_init(&control->connections);
}

int control_listen(struct control *control, int fd, struct err *err)
{
    return listener_new(control, fd, err);
}

void control_maybe_closed(struct control *control)
{
    if (control->stopping && list_empty(&control->listeners) &&
        list_empty(&control->connections))
        control->closed(control->ctx);
}

/* Cancelled calls are answered with "stopping"; the connection ends when that is written. */
static void control_stop_connection(struct connection *c)
{
    list_for_each_safe (it, &c->calls)
        aio_task_cancel(container_of(it, struct call, node)->task, NULL);
    connection_end(c);
}

void control_stop(struct control *control)
{
    control->stopping = true;
    list_for_each_safe (it, &control->listeners)
        listener_close(container_of(it, struct listener, node));
    list_for_each_safe (it, &control->connections)
        control_stop_connection(container_of(it, struct connection, node));
    control_maybe_closed(control);
}

void control_abort(struct control *control)
{
    control->stopping = true;
    list_for_each_safe (it, &control->listeners)
        listener_close(container_of(it, struct listener, node));
    list_for_each_safe (it, &control->connections)
        connection_close(container_of(it, struct connection, node));
    control_maybe_closed(control);
}
