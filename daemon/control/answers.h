/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * answers - an array with a row for each task that was named, in a message that clients take.
 *
 * Of more than LIMIT_ANSWER_ROWS tasks only the first half of that many that were done as asked
 * have a row, and the first half of those that were refused.
 */
#include "base/buf.h"
#include "daemon/aio/co.h"
#include "proto/pack.h"

struct answers {
    struct buf rows; /* owned */
    uint32_t count;  /* of the rows */
    uint32_t done;   /* told so far: as asked */
    uint32_t refused;
    bool many;
};

void answers_begin(struct answers *, size_t selected);
void answers_end(struct answers *); /* also on a zeroed one */
/* Where to pack the next row (exactly one object); NULL: it is left out. */
struct buf *answers_add(struct answers *, bool refused);
/* The end of a method: returns them all. */
struct aio_next answers_return(struct answers *, struct aio_co *) AIO_NODISCARD;
