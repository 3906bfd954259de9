/* SPDX-License-Identifier: MIT */
#include "tests/daemon/notation.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/pack.h"

/* ---- reading ---- */

static const char *notation_blanks(const char *at)
{
    return at + strspn(at, " \n");
}

static const char *notation_one(struct buf *b, const char *at);

static const char *notation_text(struct buf *b, const char *at)
{
    const char *end = strchr(at + 1, '\'');
    assert_non_null(end);
    pack_text_n(b, at + 1, (size_t)(end - at - 1));
    return end + 1;
}

static const char *notation_word(struct buf *b, const char *at)
{
    size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz");
    if (strncmp(at, "null", len) == 0)
        pack_nil(b);
    else if (strncmp(at, "true", len) == 0 || strncmp(at, "false", len) == 0)
        pack_bool(b, at[0] == 't');
    else
        fail_msg("neither null, true nor false: %s", at);
    return at + len;
}

static const char *notation_number(struct buf *b, const char *at)
{
    char *end = NULL;
    size_t len = strspn(at, "-+.0123456789e");
    assert_true(len > 0);
    if (memchr(at, '.', len) || memchr(at, 'e', len))
        pack_double(b, strtod(at, &end));
    else if (*at == '-')
        pack_int(b, strtoll(at, &end, 10));
    else
        pack_uint(b, strtoull(at, &end, 10));
    assert_ptr_equal(end, at + len);
    return end;
}

/* The members up to the closing bracket, counted first: their number comes before them. */
static const char *notation_members(struct buf *b, const char *at, char close)
{
    struct buf members = BUF_INIT;
    size_t n = 0;
    at = notation_blanks(at + 1);
    while (*at != close) {
        at = notation_one(&members, at);
        if (close == '}') {
            at = notation_blanks(at);
            assert_int_equal(*at, ':');
            at = notation_one(&members, at + 1);
        }
        n++;
        at = notation_blanks(at);
        if (*at == ',')
            at = notation_blanks(at + 1);
        else
            assert_int_equal(*at, close);
    }
    if (close == '}')
        pack_map(b, n);
    else
        pack_array(b, n);
    buf_append(b, members.data, members.len);
    buf_done(&members);
    return at + 1;
}

static const char *notation_one(struct buf *b, const char *at)
{
    at = notation_blanks(at);
    if (*at == '{')
        return notation_members(b, at, '}');
    if (*at == '[')
        return notation_members(b, at, ']');
    if (*at == '\'')
        return notation_text(b, at);
    return *at >= 'a' && *at <= 'z' ? notation_word(b, at) : notation_number(b, at);
}

struct value *notation_value(const char *text)
{
    struct buf b = BUF_INIT;
    const char *end = notation_blanks(notation_one(&b, text));
    assert_string_equal(end, "");
    struct value *value = pack_take(&b);
    assert_non_null(value);
    return value;
}

const msgpack_object *notation_read(struct notation *n, const char *text)
{
    *n = (struct notation){.bytes = notation_value(text), .unpacked = UNPACKED_INIT};
    assert_int_equal(unpack(&n->unpacked, n->bytes->bytes, n->bytes->len), 0);
    return &n->unpacked.root;
}

void notation_done(struct notation *n)
{
    unpacked_done(&n->unpacked);
    n->bytes = value_unref(n->bytes);
}

/* ---- writing ---- */

static void notation_write(struct buf *b, const msgpack_object *o);

static void notation_write_map(struct buf *b, const msgpack_object_map *map)
{
    buf_puts(b, "{");
    for (uint32_t i = 0; i < map->size; i++) {
        buf_puts(b, i ? ", " : "");
        notation_write(b, &map->ptr[i].key);
        buf_puts(b, ": ");
        notation_write(b, &map->ptr[i].val);
    }
    buf_puts(b, "}");
}

static void notation_write_array(struct buf *b, const msgpack_object_array *array)
{
    buf_puts(b, "[");
    for (uint32_t i = 0; i < array->size; i++) {
        buf_puts(b, i ? ", " : "");
        notation_write(b, &array->ptr[i]);
    }
    buf_puts(b, "]");
}

static void notation_write(struct buf *b, const msgpack_object *o)
{
    struct bytes text = object_text(o);
    if (text.data)
        buf_printf(b, "'%s%.*s'", o->type == MSGPACK_OBJECT_BIN ? "b:" : "", (int)text.len,
                   text.data);
    else if (o->type == MSGPACK_OBJECT_MAP)
        notation_write_map(b, &o->via.map);
    else if (o->type == MSGPACK_OBJECT_ARRAY)
        notation_write_array(b, &o->via.array);
    else if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        buf_printf(b, "%" PRIu64, o->via.u64);
    else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        buf_printf(b, "%" PRId64, o->via.i64);
    else if (o->type == MSGPACK_OBJECT_BOOLEAN)
        buf_puts(b, o->via.boolean ? "true" : "false");
    else if (o->type == MSGPACK_OBJECT_NIL)
        buf_puts(b, "null");
    else
        buf_printf(b, "%.17g", o->via.f64);
}

char *notation_of(const msgpack_object *o)
{
    struct buf b = BUF_INIT;
    notation_write(&b, o);
    assert_non_null(buf_cstr(&b));
    return (char *)b.data;
}

char *notation_of_value(const struct value *value)
{
    struct unpacked u = UNPACKED_INIT;
    assert_non_null(value);
    assert_int_equal(unpack(&u, value->bytes, value->len), 0);
    char *text = notation_of(&u.root);
    unpacked_done(&u);
    return text;
}

void assert_object(const msgpack_object *o, const char *expected)
{
    assert_non_null(o);
    char *text = notation_of(o);
    assert_string_equal(text, expected);
    free(text);
}

void assert_value(const struct value *value, const char *expected)
{
    char *text = notation_of_value(value);
    assert_string_equal(text, expected);
    free(text);
}
