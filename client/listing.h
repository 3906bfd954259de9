/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * listing - tasks (or groups, …) for programs: ids, one JSON array, or a JSON object a line.
 */
#include <msgpack.h>
#include <stddef.h>

#include "base/buf.h"
#include "client/options.h"

/* A list that is written piece by piece. format: FORMAT_ID, FORMAT_JSON or FORMAT_JSONL. */
struct listing {
    enum option_format format;
    const char *id; /* the key whose object FORMAT_ID prints, "id" where NULL */
    size_t n;       /* written so far */
};
void listing_add(struct buf *, struct listing *, const msgpack_object *item);
void listing_end(struct buf *, const struct listing *);

/* A whole list of tasks. */
void listing_render(struct buf *, enum option_format, const msgpack_object *const *tasks,
                    size_t n);
