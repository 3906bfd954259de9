/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * orphan - a command whose spawner has died: watched by pidfd, never touched by its bare pid.
 *
 * A pidfd is opened first and the start time of the process read then: if it is the one that
 * was recorded, the pidfd means our command for ever, whatever becomes of the pid.
 */
#include <stdint.h>

#include "daemon/aio/reader.h"

struct orphan;

/* Calls gone(ctx) once, from the loop, when the process has ended. 0; -ESRCH: it has ended
 * already (or the pid is somebody else's now): gone is not called; or a negative errno. */
int orphan_watch(struct orphan **ret, struct aio_loop *, uint32_t pid, uint64_t start_ticks,
                 void (*gone)(void *ctx), void *ctx);
/* Signals the process group that the command leads, if it is still the same; else nothing. */
void orphan_signal(const struct orphan *, int signo);
struct orphan *orphan_free(struct orphan *); /* NULL is a no-op; returns NULL */
