/* SPDX-License-Identifier: MIT */
/*
 * json - one recursive walk; its depth is bounded by the scanner in front of msgpack-c.
 */
#include "client/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/escape.h"
#include "client/utf8.h"
#include "proto/pack.h"

static void json_write_base64(struct buf *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_puts(out, "{\"base64\":\"");
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= n > 2 ? bytes[i + 2] : 0;
        char quad[4] = {digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63],
                        digits[bits & 63]};
        for (size_t k = n + 1; k < 4; k++)
            quad[k] = '=';
        buf_append(out, quad, 4);
    }
    buf_puts(out, "\"}");
}

static void json_write_character(struct buf *out, uint32_t code, const char *bytes, size_t n)
{
    if (code == '"' || code == '\\') {
        buf_printf(out, "\\%c", (int)code);
    } else if (code == '\n') {
        buf_puts(out, "\\n");
    } else if (code == '\t') {
        buf_puts(out, "\\t");
    } else if (escape_needed(code)) {
        buf_printf(out, "\\u%04x", (unsigned)code);
    } else {
        buf_append(out, bytes, n);
    }
}

void json_write_text(struct buf *out, const char *bytes, size_t len)
{
    if (!text_is_utf8(bytes, len)) {
        json_write_base64(out, (const uint8_t *)bytes, len);
        return;
    }
    buf_puts(out, "\"");
    for (size_t at = 0; at < len;) {
        uint32_t code = 0;
        size_t n = utf8_decode(bytes + at, len - at, &code);
        if (n == 0)
            n = 1; /* never: the text is UTF-8 */
        json_write_character(out, code, bytes + at, n);
        at += n;
    }
    buf_puts(out, "\"");
}

/* The shortest text that reads back as the same number, and as a float. */
static void json_write_double(struct buf *out, double number)
{
    if (!isfinite(number)) {
        buf_puts(out, "null");
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buf_puts(out, text);
    if (!strpbrk(text, ".e"))
        buf_puts(out, ".0");
}

static void json_write_key(struct buf *out, const msgpack_object *key)
{
    if ((key->type == MSGPACK_OBJECT_STR || key->type == MSGPACK_OBJECT_BIN) &&
        text_is_utf8(key->via.str.ptr, key->via.str.size)) {
        json_write_text(out, key->via.str.ptr, key->via.str.size);
        return;
    }
    struct buf inner = BUF_INIT;
    json_write(&inner, key);
    if (buf_ok(&inner))
        json_write_text(out, (const char *)inner.data, inner.len);
    else
        out->failed = true;
    buf_done(&inner);
}

static void json_write_map(struct buf *out, const msgpack_object_map *map)
{
    buf_puts(out, "{");
    for (uint32_t i = 0; i < map->size; i++) {
        if (i > 0)
            buf_puts(out, ",");
        json_write_key(out, &map->ptr[i].key);
        buf_puts(out, ":");
        json_write(out, &map->ptr[i].val);
    }
    buf_puts(out, "}");
}

static void json_write_array(struct buf *out, const msgpack_object_array *array)
{
    buf_puts(out, "[");
    for (uint32_t i = 0; i < array->size; i++) {
        if (i > 0)
            buf_puts(out, ",");
        json_write(out, &array->ptr[i]);
    }
    buf_puts(out, "]");
}

void json_write(struct buf *out, const msgpack_object *o)
{
    switch (o ? o->type : MSGPACK_OBJECT_NIL) {
    case MSGPACK_OBJECT_BOOLEAN:
        buf_puts(out, o->via.boolean ? "true" : "false");
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        buf_printf(out, "%llu", (unsigned long long)o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        buf_printf(out, "%lld", (long long)o->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        json_write_double(out, o->via.f64);
        break;
    case MSGPACK_OBJECT_STR:
    case MSGPACK_OBJECT_BIN:
        json_write_text(out, o->via.str.ptr, o->via.str.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        json_write_array(out, &o->via.array);
        break;
    case MSGPACK_OBJECT_MAP:
        json_write_map(out, &o->via.map);
        break;
    default:
        buf_puts(out, "null");
    }
}
