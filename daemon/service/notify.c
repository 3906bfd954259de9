/* SPDX-License-Identifier: MIT */
#include "daemon/service/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"

enum { NOTIFY_STATUS_MS = 1000, NOTIFY_RETRY_MS = 100 };

/* ---- the socket ---- */

/* A descriptor and the address; -1 where NOTIFY_SOCKET is not set, or not as it should be. */
static int notify_open(struct unix_address *address)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@') ||
        unix_address_init(address, path, NULL) < 0)
        return -1;
    if (path[0] == '@') { /* the abstract namespace: no NUL at the end */
        address->un.sun_path[0] = '\0';
        address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    }
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int notify_send_to(int fd, const struct unix_address *address, const char *text)
{
    ssize_t n = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                       (const struct sockaddr *)&address->un, address->len);
    return n < 0 ? -errno : 0;
}

static void notify_retry(uv_timer_t *timer);

/* What may not be left out. The last word counts: a READY behind a RELOADING takes its place. */
static void notify_say(struct notify *n, const char *text)
{
    if (n->fd < 0)
        return;
    int r = notify_send_to(n->fd, &n->address, text);
    n->owed[0] = '\0';
    if (r != -EAGAIN || uv_is_closing((uv_handle_t *)&n->retry))
        return;
    snprintf(n->owed, sizeof(n->owed), "%s", text);
    uv_timer_start(&n->retry, notify_retry, NOTIFY_RETRY_MS, 0);
}

static void notify_retry(uv_timer_t *timer)
{
    struct notify *n = timer->data;
    char text[sizeof(n->owed)];
    memcpy(text, n->owed, sizeof(text));
    if (text[0])
        notify_say(n, text);
}

/* ---- before there is a loop ---- */

void notify_once(const char *text)
{
    struct unix_address address;
    _cleanup_(defs_closep) int fd = notify_open(&address);
    if (fd < 0)
        return;
    notify_send_to(fd, &address, text);
    unix_address_done(&address);
}

void notify_failed(int err)
{
    char text[32];
    snprintf(text, sizeof(text), "ERRNO=%d", err);
    notify_once(text);
}

bool notify_supervised(void)
{
    const char *pid = getenv("SYSTEMD_EXEC_PID");
    return pid && strtol(pid, NULL, 10) == (long)getpid();
}

uint64_t notify_watchdog_ns(void)
{
    uint64_t usec = 0;
    return getenv("NOTIFY_SOCKET") && sd_watchdog_enabled(0, &usec) > 0 ? usec * 1000 : 0;
}

/* ---- the loop turns ---- */

static void notify_ping(uv_timer_t *timer)
{
    struct notify *n = timer->data;
    if (n->healthy(n->ctx))
        notify_send_to(n->fd, &n->address, "WATCHDOG=1");
}

static void notify_init_timer(struct notify *n, uv_timer_t *timer)
{
    uv_timer_init(&n->loop->uv, timer);
    uv_unref((uv_handle_t *)timer);
    timer->data = n;
}

void notify_init(struct notify *n, struct aio_loop *loop)
{
    n->loop = loop;
    n->fd = notify_open(&n->address);
    notify_init_timer(n, &n->watchdog);
    notify_init_timer(n, &n->status);
    notify_init_timer(n, &n->retry);
    n->watchdog_ns = n->fd >= 0 ? notify_watchdog_ns() : 0;
    uint64_t half_ms = n->watchdog_ns / 2 / NSEC_PER_MSEC;
    if (n->watchdog_ns)
        uv_timer_start(&n->watchdog, notify_ping, half_ms, half_ms ? half_ms : 1);
}

void notify_ready(struct notify *n)
{
    notify_say(n, "READY=1");
}

void notify_reloading(struct notify *n)
{
    char text[64];
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_awake() / 1000);
    notify_say(n, text);
}

void notify_stopping(struct notify *n)
{
    notify_say(n, "STOPPING=1");
}

void notify_errno(struct notify *n, int err)
{
    char text[32];
    snprintf(text, sizeof(text), "ERRNO=%d", err);
    notify_say(n, text);
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
    int r = notify_send_to(n->fd, &n->address, text);
    if (r == 0)
        memcpy(n->text, text, sizeof(text));
    else if (r == -EAGAIN)
        notify_changed(n); /* systemd does not read: later */
}

void notify_changed(struct notify *n)
{
    uv_handle_t *status = (uv_handle_t *)&n->status;
    if (n->fd >= 0 && !uv_is_active(status) && !uv_is_closing(status))
        uv_timer_start(&n->status, notify_status_due, NOTIFY_STATUS_MS, 0);
}

void notify_close(struct notify *n)
{
    uv_close((uv_handle_t *)&n->watchdog, NULL);
    uv_close((uv_handle_t *)&n->status, NULL);
    uv_close((uv_handle_t *)&n->retry, NULL);
    if (n->fd >= 0)
        unix_address_done(&n->address);
    defs_closep(&n->fd);
}
