/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * pack - writing MessagePack into a buf: a thin hand on msgpack-c's packer.
 *
 * Nothing here fails by itself: memory that is short marks the buf (buf_ok). Text is str where
 * it is valid UTF-8 and bin elsewhere, because argv, environments and paths are bytes on Unix
 * and MessagePack's str is UTF-8.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/value.h"

void pack_nil(struct buf *);
void pack_bool(struct buf *, bool);
void pack_int(struct buf *, int64_t);
void pack_uint(struct buf *,
               uint64_t); /* above INT64_MAX becomes INT64_MAX: some clients know no more */
void pack_double(struct buf *, double);
void pack_array(struct buf *, size_t n);                       /* n objects follow */
void pack_map(struct buf *, size_t n);                         /* n keys and values follow */
void pack_text(struct buf *, const char *text);                /* NUL-terminated; NULL: nil */
void pack_text_n(struct buf *, const void *bytes, size_t len); /* str if UTF-8, else bin */
void pack_sentence(struct buf *,
                   const char *text); /* str in any case: what is not UTF-8 becomes "?" */
void pack_bin(struct buf *, const void *bytes, size_t len);
void pack_value(struct buf *, const struct value *); /* as it is; NULL: nil */
/* Nanoseconds since 1970 as an RFC 3339 text in UTC with milliseconds; 0: nil. */
void pack_time(struct buf *, uint64_t wall_ns);

/* A map whose size is not known before: begin, then key and object in turn, then end. */
struct pack_map_place {
    size_t at;
    uint32_t n;
};
struct pack_map_place pack_map_begin(struct buf *);
void pack_key(struct buf *, struct pack_map_place *, const char *key);
void pack_map_end(struct buf *, const struct pack_map_place *);

/* Bytes of the character of UTF-8 that stands at bytes: 1 to 4, or 0 if none does. */
size_t text_char_length(const void *bytes, size_t len);
bool text_is_utf8(const void *bytes, size_t len);
/* The content of the buf as a value; the buf is emptied and its memory freed, so that buf_done
 * is not needed. NULL when it failed or without memory. */
struct value *pack_take(struct buf *);
