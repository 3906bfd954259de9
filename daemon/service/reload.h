/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * reload - reads the configuration again without holding up the loop.
 *
 * Happy path: start → a thread of the executor reads the file and looks the group's name up
 * (both may have to ask another machine) → done, on the loop. A start while one is under way
 * reads once more behind it, so that the last change of the file is always seen.
 */
#include <stdbool.h>

#include "base/err.h"
#include "daemon/aio/loop.h"
#include "daemon/service/config.h"

struct reload_job;

struct reload {
    struct aio_loop *loop; /* borrowed, as all that follow */
    const char *path;
    bool must_exist;
    /* On the loop: r and err as of config_read. The configuration is freed after the call. */
    void (*done)(void *ctx, int r, const struct config *, const struct err *);
    void *ctx;
    /* private */
    struct reload_job *job; /* owned by the executor; NULL: none is under way */
    bool again;             /* once more behind it */
};

void reload_start(struct reload *); /* the first members are set */
void reload_stop(struct reload *);  /* done is not called any more */
