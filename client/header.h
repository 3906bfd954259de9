/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * header - the lines above and below the status table: whose loop it is, how busy, how many
 * tasks.
 */
#include <msgpack.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "client/view.h"

/* How today's tasks ended. */
struct header_today {
    uint64_t ok;
    uint64_t failed;
    uint64_t cancelled;
    uint64_t shown; /* how many of them the table has */
};
/* How many rows the table has of each. */
struct header_shown {
    size_t live; /* RUNNING and SUSPENDED */
    size_t pending;
    size_t done;
};

/* hello and status: the results of those methods; status needs counts, groups, loop. today:
 * NULL where it is not known. */
void header_render(struct buf *, const msgpack_object *hello, const msgpack_object *status,
                   const struct header_today *today, const struct view *);
/* "3 RUNNING · 2 SUSPENDED · today 9 DONE: 7 ok 2 failed (412 in all)"; without today "412 DONE:
 * 400 ok 12 failed"; "no tasks" for none. */
void header_counts(struct buf *, const msgpack_object *counts,
                   const struct header_today *today);
/* "107 more DONE today: aioctl status --done --since today": what the table does not show. */
void header_footer(struct buf *, const msgpack_object *counts, const struct header_today *today,
                   const struct header_shown *);
