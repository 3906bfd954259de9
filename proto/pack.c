/* SPDX-License-Identifier: MIT */
#include "proto/pack.h"

#include <assert.h>
#include <msgpack.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    PACK_MAP32 = 0xdf, /* first byte of a map with four bytes of length */
    PACK_MAP32_BYTES = 5,
    PACK_ASCII_STRIDE = 32, /* bytes looked at in one go */
    PACK_TEXT_HEAD_MAX = 5, /* bytes in front of a text */
};

static int pack_write(void *data, const char *bytes, size_t len)
{
    struct buf *b = data;
    buf_append(b, bytes, len);
    return buf_ok(b) ? 0 : -1;
}

static msgpack_packer pack_packer(struct buf *b)
{
    msgpack_packer pk;
    msgpack_packer_init(&pk, b, pack_write);
    return pk;
}

void pack_nil(struct buf *b)
{
    msgpack_packer pk = pack_packer(b);
    msgpack_pack_nil(&pk);
}

void pack_bool(struct buf *b, bool v)
{
    msgpack_packer pk = pack_packer(b);
    if (v)
        msgpack_pack_true(&pk);
    else
        msgpack_pack_false(&pk);
}

void pack_int(struct buf *b, int64_t v)
{
    msgpack_packer pk = pack_packer(b);
    msgpack_pack_int64(&pk, v);
}

void pack_uint(struct buf *b, uint64_t v)
{
    msgpack_packer pk = pack_packer(b);
    msgpack_pack_uint64(&pk, v < INT64_MAX ? v : INT64_MAX);
}

void pack_double(struct buf *b, double v)
{
    msgpack_packer pk = pack_packer(b);
    msgpack_pack_double(&pk, v);
}

void pack_array(struct buf *b, size_t n)
{
    assert(n <= UINT32_MAX);
    msgpack_packer pk = pack_packer(b);
    msgpack_pack_array(&pk, n);
}

void pack_map(struct buf *b, size_t n)
{
    assert(n <= UINT32_MAX);
    msgpack_packer pk = pack_packer(b);
    msgpack_pack_map(&pk, n);
}

void pack_text(struct buf *b, const char *text)
{
    if (text)
        pack_text_n(b, text, strlen(text));
    else
        pack_nil(b);
}

/* The head of a str: most of what is packed is text, and a call of the packer's would cost more
 * than the text. Returns its bytes. */
static size_t pack_text_head(uint8_t *at, size_t len)
{
    size_t n = len < 32 ? 0 : len <= UINT8_MAX ? 1 : len <= UINT16_MAX ? 2 : 4;
    static const uint8_t heads[] = {0xa0, 0xd9, 0xda, 0, 0xdb};
    at[0] = (uint8_t)(heads[n] | (n == 0 ? len : 0));
    for (size_t i = 0; i < n; i++)
        at[1 + i] = (uint8_t)(len >> 8 * (n - 1 - i));
    return n + 1;
}

void pack_text_n(struct buf *b, const void *bytes, size_t len)
{
    if (!text_is_utf8(bytes, len)) {
        pack_bin(b, bytes, len);
        return;
    }
    assert(len <= UINT32_MAX);
    if (buf_reserve(b, len + PACK_TEXT_HEAD_MAX) < 0)
        return;
    b->len += pack_text_head(b->data + b->len, len);
    if (len)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
}

void pack_sentence(struct buf *b, const char *text)
{
    size_t len = strlen(text);
    if (text_is_utf8(text, len)) {
        pack_text_n(b, text, len);
        return;
    }
    msgpack_packer pk = pack_packer(b);
    msgpack_pack_str(&pk, len);
    size_t from = b->len;
    buf_append(b, text, len);
    while (buf_ok(b) && from < b->len) {
        size_t n = text_char_length(b->data + from, b->len - from);
        if (n == 0)
            b->data[from] = '?';
        from += n ? n : 1;
    }
}

void pack_bin(struct buf *b, const void *bytes, size_t len)
{
    assert(len <= UINT32_MAX);
    msgpack_packer pk = pack_packer(b);
    msgpack_pack_bin_with_body(&pk, bytes, len);
}

void pack_value(struct buf *b, const struct value *v)
{
    if (v)
        buf_append(b, v->bytes, v->len);
    else
        pack_nil(b);
}

void pack_time(struct buf *b, uint64_t wall_ns)
{
    time_t sec = (time_t)(wall_ns / NSEC_PER_SEC);
    struct tm tm;
    if (wall_ns == 0 || !gmtime_r(&sec, &tm)) {
        pack_nil(b);
        return;
    }
    char date[32], text[48];
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    int n = snprintf(text, sizeof(text), "%s.%03uZ", date,
                     (unsigned)(wall_ns % NSEC_PER_SEC / NSEC_PER_MSEC));
    pack_text_n(b, text, (size_t)n);
}

struct pack_map_place pack_map_begin(struct buf *b)
{
    static const uint8_t empty[PACK_MAP32_BYTES] = {PACK_MAP32};
    struct pack_map_place place = {.at = b->len};
    buf_append(b, empty, sizeof(empty));
    return place;
}

void pack_key(struct buf *b, struct pack_map_place *place, const char *key)
{
    pack_text(b, key);
    place->n++;
}

void pack_map_end(struct buf *b, const struct pack_map_place *place)
{
    if (!buf_ok(b))
        return;
    for (size_t i = 1; i < PACK_MAP32_BYTES; i++)
        b->data[place->at + i] = (uint8_t)(place->n >> 8 * (PACK_MAP32_BYTES - 1 - i));
}

/* The first byte bounds the second: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
size_t text_char_length(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    if (len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (len < n)
        return 0;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

/* How many bytes of ASCII come first, or fewer: several words at a time, then one, then bytes. */
static size_t text_ascii(const uint8_t *p, size_t len)
{
    static const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t w[PACK_ASCII_STRIDE / sizeof(uint64_t)];
    size_t at = 0;
    for (; len - at >= sizeof(w); at += sizeof(w)) {
        memcpy(w, p + at, sizeof(w));
        if ((w[0] | w[1] | w[2] | w[3]) & high)
            return at;
    }
    for (; len - at >= sizeof(w[0]); at += sizeof(w[0])) {
        memcpy(w, p + at, sizeof(w[0]));
        if (w[0] & high)
            return at;
    }
    if (at < len && len >= sizeof(w[0])) { /* what is left, seen through the last whole word */
        memcpy(w, p + len - sizeof(w[0]), sizeof(w[0]));
        if (!(w[0] & high))
            return len;
    }
    while (at < len && p[at] < 0x80)
        at++;
    return at;
}

bool text_is_utf8(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    size_t at = 0;
    while (at < len) {
        at += text_ascii(p + at, len - at);
        if (at == len)
            break;
        size_t n = text_char_length(p + at, len - at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

struct value *pack_take(struct buf *b)
{
    struct value *v = buf_ok(b) ? value_new(b->data, b->len) : NULL;
    buf_done(b);
    return v;
}
