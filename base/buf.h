/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * buf - a growing buffer of bytes.
 *
 * An allocation that fails marks the buffer `failed`: later appends do nothing and
 * the one check is made at the end (buf_ok), so writers need none at each call.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data; /* owned; not NUL-terminated */
    size_t len;
    size_t cap;
    bool failed; /* an append did not fit into memory; the content is then incomplete */
};
#define BUF_INIT                                                                               \
    {                                                                                          \
        NULL, 0, 0, false                                                                      \
    }

void buf_done(struct buf *b);  /* frees; the buffer is empty and usable afterwards */
void buf_clear(struct buf *b); /* len = 0, failed = false; keeps the memory */
/* Room for n more bytes at data + len. 0 or -ENOMEM (and failed is set). */
int buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *text); /* without its NUL */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes, n <= len */
/* Adds a NUL behind the content (not counted in len) and gives it back, borrowed;
 * NULL when the buffer failed. */
const char *buf_cstr(struct buf *b);

static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}
