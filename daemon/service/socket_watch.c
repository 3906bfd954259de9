/* SPDX-License-Identifier: MIT */
/*
 * Happy path: a change of the path → SOCKET_WATCH_MS → settle: watch what is there now, look: in
 * its place? Otherwise make it, watch again, look again → serve. How it fails: told once, and the
 * next change of the path is the next try; where no change of a path will come (no room, no
 * memory, no descriptors) a timer is.
 */
#include "daemon/service/socket_watch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    SOCKET_WATCH_MS = 50,         /* an rm -r of the directory takes less */
    SOCKET_WATCH_RETRY_MS = 5000, /* while there is no room for it */
    SOCKET_WATCH_TRIES = 4,       /* until somebody who removes it as fast has to wait */
};

static void socket_watch_settle(struct socket_watch *w);

static void socket_watch_due(uv_timer_t *timer)
{
    socket_watch_settle(timer->data);
}

static void socket_watch_later(struct socket_watch *w, unsigned ms)
{
    uv_timer_start(&w->delay, socket_watch_due, ms, 0);
}

static void socket_watch_changed(void *ctx)
{
    struct socket_watch *w = ctx;
    /* also in the place of a longer wait, but not again and again */
    if (!uv_is_active((uv_handle_t *)&w->delay) ||
        uv_timer_get_due_in(&w->delay) > SOCKET_WATCH_MS)
        socket_watch_later(w, SOCKET_WATCH_MS);
}

static void socket_watch_tell(struct socket_watch *w, const struct err *err)
{
    if (err->code == w->told)
        return;
    w->told = err->code;
    if (err->code == -EADDRINUSE)
        log_warning(w->log,
                    "the control socket was removed and its place taken: %s; nobody new "
                    "can connect to this aiod",
                    err->msg);
    else
        log_error(w->log,
                  "the control socket was removed and cannot be made again: %s; until "
                  "it can, nobody new can connect",
                  err->msg);
}

static void socket_watch_made(struct socket_watch *w)
{
    if (w->systemd)
        log_warning(w->log,
                    "the control socket of systemd was removed: made %s in its place "
                    "(restart aiod.socket and aiod.service together to have systemd's)",
                    w->place.path);
    else
        log_notice(w->log, "the control socket was removed: made %s again", w->place.path);
}

static bool socket_watch_no_event_will_come(int r)
{
    return r == -ENOSPC || r == -EDQUOT || r == -ENOMEM || r == -EMFILE || r == -ENFILE ||
           r == -EIO || r == -EROFS;
}

/* 0: it is in its place, as far as can be told; else a negative errno, told. */
static int socket_watch_make(struct socket_watch *w)
{
    struct err err = ERR_INIT;
    if (socket_is_ours(w->place.path, &w->file))
        return 0; /* moved away, and back */
    w->file = (struct socket_file){0};
    int r = socket_bind(&w->place, &w->file, &err);
    if (r >= 0)
        r = w->serve(w->ctx, r, &err);
    if (r >= 0) {
        socket_watch_made(w);
        return 0;
    }
    w->file = (struct socket_file){0};
    socket_watch_tell(w, &err);
    if (socket_watch_no_event_will_come(r))
        socket_watch_later(w, SOCKET_WATCH_RETRY_MS);
    return r;
}

static void socket_watch_settle(struct socket_watch *w)
{
    for (int i = 0; i < SOCKET_WATCH_TRIES; i++) {
        bool there = socket_is_at(w->place.path, &w->file);
        int r = path_watch_arm(&w->watch, there);
        if (r < 0)
            log_warning(w->log, "the control socket %s is not watched: %s", w->place.path,
                        strerror(-r));
        if (socket_is_at(w->place.path, &w->file)) {
            if (there) {
                w->told = 0;
                return;
            }
        } else if (!there && socket_watch_make(w) < 0) {
            return;
        }
    }
    socket_watch_later(w, SOCKET_WATCH_MS);
}

void socket_watch_start(struct socket_watch *w)
{
    struct err err = ERR_INIT;
    uv_timer_init(&w->loop->uv, &w->delay);
    w->delay.data = w;
    w->watching = true;
    w->watch = (struct path_watch){
        .loop = w->loop, .path = w->place.path, .changed = socket_watch_changed, .ctx = w};
    if (path_watch_init(&w->watch, &err) < 0)
        log_warning(w->log, "the control socket %s is not watched: %s", w->place.path, err.msg);
    else
        socket_watch_settle(w);
}

void socket_watch_close(struct socket_watch *w)
{
    if (!w->watching)
        return;
    w->watching = false;
    path_watch_done(&w->watch);
    uv_close((uv_handle_t *)&w->delay, NULL);
}
