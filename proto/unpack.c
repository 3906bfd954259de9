/* SPDX-License-Identifier: MIT */
#include "proto/unpack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "proto/pack.h"

/* A request of some twenty objects fits; zones double on their own. */
enum { UNPACK_ZONE_BYTES = 1024 };

int unpack(struct unpacked *ret, const void *bytes, size_t len)
{
    msgpack_zone *zone = msgpack_zone_new(UNPACK_ZONE_BYTES);
    if (!zone)
        return -ENOMEM;
    msgpack_object root;
    /* unlike msgpack_unpacker, this copies no strings; bytes left over are EXTRA_BYTES */
    msgpack_unpack_return r = msgpack_unpack(bytes, len, NULL, zone, &root);
    if (r == MSGPACK_UNPACK_SUCCESS) {
        *ret = (struct unpacked){.root = root, .zone = zone};
        return 0;
    }
    msgpack_zone_free(zone);
    return r == MSGPACK_UNPACK_NOMEM_ERROR ? -ENOMEM : -EBADMSG;
}

void unpacked_done(struct unpacked *u)
{
    if (u->zone)
        msgpack_zone_free(u->zone);
    *u = (struct unpacked)UNPACKED_INIT;
}

/* ---- readers of replies ---- */

struct bytes object_text(const msgpack_object *o)
{
    struct bytes text = {NULL, 0};
    if (o && o->type == MSGPACK_OBJECT_STR)
        text = (struct bytes){o->via.str.ptr, o->via.str.size};
    else if (o && o->type == MSGPACK_OBJECT_BIN)
        text = (struct bytes){o->via.bin.ptr, o->via.bin.size};
    else
        return text;
    if (text.len == 0)
        text.data = ""; /* msgpack-c leaves NULL or any place in empty ones */
    return text;
}

const msgpack_object *map_get(const msgpack_object *map, const char *key)
{
    if (!map || map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *kv = &map->via.map.ptr[i];
        if (bytes_equal(object_text(&kv->key), key))
            return &kv->val;
    }
    return NULL;
}

uint64_t map_uint(const msgpack_object *map, const char *key, uint64_t otherwise)
{
    const msgpack_object *o = map_get(map, key);
    return o && o->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? o->via.u64 : otherwise;
}

int64_t map_int(const msgpack_object *map, const char *key, int64_t otherwise)
{
    const msgpack_object *o = map_get(map, key);
    if (o && o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return o->via.i64;
    if (o && o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX)
        return (int64_t)o->via.u64;
    return otherwise;
}

double map_number(const msgpack_object *map, const char *key, double otherwise)
{
    const msgpack_object *o = map_get(map, key);
    if (!o)
        return otherwise;
    switch (o->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return (double)o->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return (double)o->via.i64;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return o->via.f64;
    default:
        return otherwise;
    }
}

bool map_bool(const msgpack_object *map, const char *key, bool otherwise)
{
    const msgpack_object *o = map_get(map, key);
    return o && o->type == MSGPACK_OBJECT_BOOLEAN ? o->via.boolean : otherwise;
}

struct bytes map_text(const msgpack_object *map, const char *key)
{
    return object_text(map_get(map, key));
}

/* ---- bytes ---- */

char *bytes_dup(struct bytes b)
{
    char *text = malloc(b.len + 1);
    if (!text)
        return NULL;
    if (b.len)
        memcpy(text, b.data, b.len);
    text[b.len] = '\0';
    return text;
}

bool bytes_equal(struct bytes b, const char *text)
{
    return b.data && strlen(text) == b.len && !memcmp(b.data, text, b.len);
}

/* May be shown as it is, and does not end the quotes. */
static bool bytes_printable(const uint8_t *p, size_t n)
{
    return n > 0 && p[0] != '"' && p[0] != '\\' && printable_check((const char *)p, n);
}

char *bytes_quote(char text[BYTES_QUOTE_MAX], struct bytes b)
{
    const uint8_t *p = (const uint8_t *)b.data;
    size_t len = 0;
    text[len++] = '"';
    for (size_t at = 0; at < b.len;) {
        size_t n = text_char_length(p + at, b.len - at);
        bool plain = bytes_printable(p + at, n);
        size_t need = plain ? n : 4;
        if (len + need + sizeof("\"...") > BYTES_QUOTE_MAX) {
            strcpy(text + len, "\"...");
            return text;
        }
        if (plain)
            memcpy(text + len, p + at, n);
        else
            snprintf(text + len, 5, "\\x%02x", p[at]);
        len += need;
        at += plain ? n : 1;
    }
    strcpy(text + len, "\"");
    return text;
}
