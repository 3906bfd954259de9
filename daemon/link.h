/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * link - keeps the connection to the spawner: connects, starts one where none answers, tries
 * again.
 *
 * Where systemd runs aiod (notify_supervised) the spawner is a unit of its own and only waited for.
 * Elsewhere it is started detached, so that it outlives aiod; it ends by itself when it has
 * neither connection nor child.
 */
#include <stdbool.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/log.h"
#include "daemon/functions/processes.h"

struct link {
    struct aio_loop *loop; /* borrowed, as all that follow */
    struct processes *processes;
    struct logger *log;
    const char *socket;     /* where the spawner listens */
    const char *executable; /* NULL: found beside our own, then in libexecdir */
    const char *state_dir;
    rlim_t nofile;           /* the soft limit of descriptors that aiod was started with */
    void (*live)(void *ctx); /* connected, and every attempt is settled */
    void *ctx;
    /* private */
    uv_timer_t retry;
    uv_process_t *child; /* owned: the spawner that was started here, until its exit; or NULL */
    unsigned delay_ms;   /* of the next try */
    bool supervised;     /* systemd starts the spawner */
    bool told;           /* that it is waited for */
    bool was_live;       /* since the connection was made */
    uint64_t start_at;   /* awake clock: no other spawner is started before */
    bool closing;
};

void link_init(struct link *);  /* the first members are set */
void link_start(struct link *); /* begins to connect */
void link_close(struct link *); /* its handles are gone after the next turns of the loop */
