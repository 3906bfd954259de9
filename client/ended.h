/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * ended - finished tasks as lines, put in the order in which they ended.
 *
 * They come in several answers, and those that ended while nobody listened come by id.
 */
#include <msgpack.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { ENDED_TIME_MAX = 40 };

struct ended_line {
    char time[ENDED_TIME_MAX]; /* RFC 3339 in UTC: sorts as text */
    size_t number; /* in the order of arrival, which decides where times are equal */
    size_t at;     /* in text */
    size_t len;
};

struct ended {
    struct ended_line *lines; /* owned */
    size_t n;
    size_t cap;
    struct buf text; /* owned */
};
#define ENDED_INIT                                                                             \
    {                                                                                          \
        .n = 0                                                                                 \
    }

void ended_done(struct ended *);
/* Notes that task ended when it says, and returns the buf that its line is to be appended to,
 * before the next call. Without memory that buf fails. */
struct buf *ended_add(struct ended *, const msgpack_object *task);
/* Appends the lines to out in their order, with `between` between two of them, and forgets
 * them. */
void ended_flush(struct ended *, struct buf *out, const char *between);
