/* SPDX-License-Identifier: MIT */
#include "daemon/service/signals.h"

#include <signal.h>

static void signals_stop(uv_signal_t *handle, int signo)
{
    struct signals *s = handle->data;
    s->stop(s->ctx, signo);
}

static void signals_reload(uv_signal_t *handle, int signo)
{
    struct signals *s = handle->data;
    (void)signo;
    s->reload(s->ctx);
}

int signals_init(struct signals *s, struct aio_loop *loop)
{
    signal(SIGPIPE, SIG_IGN);
    const struct {
        uv_signal_t *handle;
        int signo;
        uv_signal_cb fn;
    } all[] = {
        {&s->term, SIGTERM, signals_stop},
        {&s->intr, SIGINT, signals_stop},
        {&s->hup, SIGHUP, signals_reload},
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        int r = uv_signal_init(&loop->uv, all[i].handle);
        if (r < 0)
            return r;
        all[i].handle->data = s;
        r = uv_signal_start(all[i].handle, all[i].fn, all[i].signo);
        if (r < 0)
            return r;
    }
    return 0;
}

void signals_close(struct signals *s)
{
    uv_close((uv_handle_t *)&s->term, NULL);
    uv_close((uv_handle_t *)&s->intr, NULL);
    uv_close((uv_handle_t *)&s->hup, NULL);
}
