/* SPDX-License-Identifier: MIT */
#include "daemon/control/control.h"

#include "base/clock.h"
#include "daemon/control/connection.h"
#include "daemon/control/listener.h"

void control_init(struct control *control)
{
    list_init(&control->listeners);
    list_init(&control->connections);
    aio_semaphore_init(&control->group_commands, &control->loop->sched, 1);
    control->rounds.serve = connection_serve;
    control->rounds.clock = clock_awake;
    control->rounds.sched = &control->loop->sched;
    rounds_init(&control->rounds);
}

void control_done(struct control *control)
{
    rounds_done(&control->rounds);
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
