/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * header - the lines above and below the status table: whose loop it is, how busy, how many
 * tasks.
 */
#include <msgpack.h>
#include <stddef.h>

#include "base/buf.h"
#include "client/view.h"

/* hello and status: the results of those methods; status needs counts, groups, loop. */
void header_render(struct buf *, const msgpack_object *hello, const msgpack_object *status,
                   const struct view *);
/* "3 RUNNING · 2 SUSPENDED · 9 DONE: 7 ok 2 failed"; "no tasks" for none. */
void header_counts(struct buf *, const msgpack_object *counts);
/* "107 more DONE: aioctl status --done", given how many of each the table showed. */
void header_footer(struct buf *, const msgpack_object *counts, size_t pending_shown,
                   size_t done_shown);
