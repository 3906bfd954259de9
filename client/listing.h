/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * listing - tasks for programs: ids, one JSON array, or a JSON object a line.
 */
#include <msgpack.h>
#include <stddef.h>

#include "base/buf.h"
#include "client/options.h"

/* format: FORMAT_ID, FORMAT_JSON or FORMAT_JSONL. */
void listing_render(struct buf *, enum option_format, const msgpack_object *const *tasks,
                    size_t n);
