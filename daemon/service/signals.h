/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * signals - SIGTERM and SIGINT stop, SIGHUP reloads; SIGPIPE means nothing.
 */
#include "daemon/aio/loop.h"

struct signals {
    uv_signal_t term, intr, hup;
    void (*stop)(void *ctx, int signo); /* on the loop, also a second time */
    void (*reload)(void *ctx);
    void *ctx;
};

/* 0 or a negative errno. The callbacks are set before. */
int signals_init(struct signals *, struct aio_loop *);
void signals_close(
    struct signals *); /* its handles are gone after the next turns of the loop */
