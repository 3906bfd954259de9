/* SPDX-License-Identifier: MIT */
#include "client/ended.h"

#include <stdlib.h>
#include <string.h>

#include "proto/unpack.h"

void ended_done(struct ended *e)
{
    free(e->lines);
    buf_done(&e->text);
    *e = (struct ended)ENDED_INIT;
}

struct buf *ended_add(struct ended *e, const msgpack_object *task)
{
    struct bytes time = map_text(task, "ended");
    if (e->n == e->cap) {
        size_t cap = e->cap ? 2 * e->cap : 64;
        struct ended_line *lines = reallocarray(e->lines, cap, sizeof(*lines));
        if (!lines) {
            e->text.failed = true;
            return &e->text;
        }
        e->lines = lines;
        e->cap = cap;
    }
    struct ended_line *line = &e->lines[e->n];
    size_t len = time.len < ENDED_TIME_MAX ? time.len : ENDED_TIME_MAX - 1;
    *line = (struct ended_line){.number = e->n, .at = e->text.len};
    if (len > 0)
        memcpy(line->time, time.data, len);
    e->n++;
    return &e->text;
}

static int ended_compare(const void *a, const void *b)
{
    const struct ended_line *x = a, *y = b;
    int r = strcmp(x->time, y->time);
    return r != 0 ? r : x->number < y->number ? -1 : 1;
}

void ended_flush(struct ended *e, struct buf *out, const char *between)
{
    for (size_t i = 0; i < e->n; i++) {
        size_t end = i + 1 < e->n ? e->lines[i + 1].at : e->text.len;
        e->lines[i].len = end - e->lines[i].at;
    }
    if (e->n > 1)
        qsort(e->lines, e->n, sizeof(*e->lines), ended_compare);
    for (size_t i = 0; i < e->n; i++) {
        if (i > 0)
            buf_puts(out, between);
        buf_append(out, e->text.data + e->lines[i].at, e->lines[i].len);
    }
    if (!buf_ok(&e->text))
        out->failed = true;
    e->n = 0;
    buf_clear(&e->text);
}
