/* SPDX-License-Identifier: MIT */
#include "daemon/service/extend.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/defs.h"
#include "daemon/service/notify.h"

enum { EXTEND_EVERY_S = 5 };
static const char extend_text[] = "EXTEND_TIMEOUT_USEC=30000000";

/* Grows while the process works. */
static uint64_t extend_work(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) < 0)
        return 0;
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) + (uint64_t)u.ru_inblock;
}

static void extend_run(void *arg)
{
    struct extend *e = arg;
    uint64_t before = extend_work();
    uv_mutex_lock(&e->lock);
    while (!e->end) {
        if (uv_cond_timedwait(&e->ended, &e->lock, EXTEND_EVERY_S * NSEC_PER_SEC) == 0)
            continue;
        uint64_t now = extend_work();
        if (!e->end && now != before)
            notify_once(extend_text);
        before = now;
    }
    uv_mutex_unlock(&e->lock);
}

void extend_begin(struct extend *e)
{
    sigset_t all, old;
    *e = (struct extend){.started = false};
    if (!getenv("NOTIFY_SOCKET") || uv_mutex_init(&e->lock) < 0)
        return;
    if (uv_cond_init(&e->ended) < 0) {
        uv_mutex_destroy(&e->lock);
        return;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the loop's */
    e->started = uv_thread_create(&e->thread, extend_run, e) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!e->started) {
        uv_cond_destroy(&e->ended);
        uv_mutex_destroy(&e->lock);
    }
}

void extend_end(struct extend *e)
{
    if (!e->started)
        return;
    e->started = false;
    uv_mutex_lock(&e->lock);
    e->end = true;
    uv_cond_signal(&e->ended);
    uv_mutex_unlock(&e->lock);
    uv_thread_join(&e->thread);
    uv_cond_destroy(&e->ended);
    uv_mutex_destroy(&e->lock);
}
