/* SPDX-License-Identifier: MIT */
#include "daemon/service/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"

enum { NOTIFY_STATUS_MS = 1000 };

static void notify_ping(uv_timer_t *timer)
{
    (void)timer;
    sd_notify(0, "WATCHDOG=1");
}

void notify_init(struct notify *n, struct aio_loop *loop)
{
    uint64_t usec = 0;
    n->loop = loop;
    n->enabled = getenv("NOTIFY_SOCKET") != NULL;
    uv_timer_init(&loop->uv, &n->watchdog);
    uv_timer_init(&loop->uv, &n->status);
    uv_unref((uv_handle_t *)&n->status);
    n->status.data = n;
    n->has_watchdog = n->enabled && sd_watchdog_enabled(0, &usec) > 0;
    if (n->has_watchdog)
        uv_timer_start(&n->watchdog, notify_ping, usec / 2000, usec / 2000);
}

bool notify_supervised(void)
{
    const char *pid = getenv("SYSTEMD_EXEC_PID");
    return pid && strtol(pid, NULL, 10) == (long)getpid();
}

void notify_ready(struct notify *n)
{
    if (n->enabled)
        sd_notify(0, "READY=1");
}

void notify_reloading(struct notify *n)
{
    if (n->enabled)
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_awake() / 1000);
}

void notify_stopping(struct notify *n)
{
    if (n->enabled)
        sd_notify(0, "STOPPING=1");
}

void notify_errno(struct notify *n, int err)
{
    if (n->enabled)
        sd_notifyf(0, "ERRNO=%d", err);
}

static void notify_status_due(uv_timer_t *timer)
{
    struct notify *n = timer->data;
    struct notify_counts c = {0};
    char text[sizeof(n->text)];
    n->count(n->ctx, &c);
    snprintf(text, sizeof(text),
             "STATUS=%" PRIu64 " PENDING, %" PRIu64 " RUNNING, %" PRIu64 " SUSPENDED, %" PRIu64
             " DONE",
             c.pending, c.running, c.suspended, c.done);
    if (strcmp(text, n->text) == 0)
        return;
    memcpy(n->text, text, sizeof(text));
    sd_notify(0, n->text);
}

void notify_changed(struct notify *n)
{
    uv_handle_t *status = (uv_handle_t *)&n->status;
    if (n->enabled && !uv_is_active(status) && !uv_is_closing(status))
        uv_timer_start(&n->status, notify_status_due, NOTIFY_STATUS_MS, 0);
}

void notify_close(struct notify *n)
{
    uv_close((uv_handle_t *)&n->watchdog, NULL);
    uv_close((uv_handle_t *)&n->status, NULL);
}
