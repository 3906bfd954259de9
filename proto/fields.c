/* SPDX-License-Identifier: MIT */
/*
 * fields - the one place that judges parameters: each pair of the map is looked up in the
 * table, checked by a reader for its type, and stored; what is missing is found at the end. The
 * first unknown name or repetition ends it, so no map makes more work than the table has rows,
 * but for the elements of arrays.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/unpack.h"

static const char *fields_type_name(const msgpack_object *o)
{
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        return "nil";
    case MSGPACK_OBJECT_BOOLEAN:
        return "a boolean";
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return "an integer";
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return "a float";
    case MSGPACK_OBJECT_STR:
    case MSGPACK_OBJECT_BIN:
        return "a text";
    case MSGPACK_OBJECT_ARRAY:
        return "an array";
    case MSGPACK_OBJECT_MAP:
        return "a map";
    default:
        return "something else";
    }
}

static int fields_wrong_type(const struct field *f, const char *wanted, const msgpack_object *o,
                             struct err *err)
{
    return err_set(err, -EINVAL, "\"%s\" must be %s, not %s", f->name, wanted,
                   fields_type_name(o));
}

static int fields_above(const struct field *f, uint64_t max, struct err *err)
{
    return err_set(err, -EINVAL, "\"%s\" must be at most %" PRIu64, f->name, max);
}

static bool fields_is_integer(const msgpack_object *o)
{
    return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
           o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
}

static int fields_read_bool(const struct field *f, const msgpack_object *o, void *ret,
                            struct err *err)
{
    if (o->type != MSGPACK_OBJECT_BOOLEAN)
        return fields_wrong_type(f, "a boolean", o, err);
    *(bool *)ret = o->via.boolean;
    return 0;
}

static int fields_read_uint(const struct field *f, const msgpack_object *o, void *ret,
                            struct err *err)
{
    if (!fields_is_integer(o))
        return fields_wrong_type(f, "an integer", o, err);
    if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return err_set(err, -EINVAL, "\"%s\" must not be negative", f->name);
    if (f->max && o->via.u64 > f->max)
        return fields_above(f, f->max, err);
    *(uint64_t *)ret = o->via.u64;
    return 0;
}

static int fields_read_int(const struct field *f, const msgpack_object *o, void *ret,
                           struct err *err)
{
    if (!fields_is_integer(o))
        return fields_wrong_type(f, "an integer", o, err);
    uint64_t max = f->max && f->max < INT64_MAX ? f->max : INT64_MAX;
    if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 > max)
        return fields_above(f, max, err);
    *(int64_t *)ret = o->via.i64;
    return 0;
}

static int fields_read_number(const struct field *f, const msgpack_object *o, void *ret,
                              struct err *err)
{
    double v;
    if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        v = (double)o->via.u64;
    else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        v = (double)o->via.i64;
    else if (o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64)
        v = o->via.f64;
    else
        return fields_wrong_type(f, "a number", o, err);
    if (!isfinite(v))
        return err_set(err, -EINVAL, "\"%s\" must be a finite number", f->name);
    if (f->max && v > (double)f->max)
        return fields_above(f, f->max, err);
    *(double *)ret = v;
    return 0;
}

static int fields_read_text(const struct field *f, const msgpack_object *o, void *ret,
                            struct err *err)
{
    struct bytes text = object_text(o);
    if (!text.data)
        return fields_wrong_type(f, "a text", o, err);
    if (f->max && text.len > f->max)
        return err_set(err, -EINVAL, "\"%s\" has more than %" PRIu64 " bytes", f->name, f->max);
    if (memchr(text.data, '\0', text.len))
        return err_set(err, -EINVAL, "\"%s\" has a NUL byte", f->name);
    *(struct bytes *)ret = text;
    return 0;
}

static int fields_check_texts(const struct field *f, const msgpack_object *array,
                              struct err *err)
{
    for (uint32_t i = 0; i < array->via.array.size; i++) {
        const msgpack_object *o = &array->via.array.ptr[i];
        struct bytes text = object_text(o);
        if (!text.data)
            return err_set(err, -EINVAL, "\"%s\"[%" PRIu32 "] must be a text, not %s", f->name,
                           i, fields_type_name(o));
        if (memchr(text.data, '\0', text.len))
            return err_set(err, -EINVAL, "\"%s\"[%" PRIu32 "] has a NUL byte", f->name, i);
    }
    return 0;
}

static int fields_check_ids(const struct field *f, const msgpack_object *array, struct err *err)
{
    for (uint32_t i = 0; i < array->via.array.size; i++) {
        const msgpack_object *o = &array->via.array.ptr[i];
        if (!fields_is_integer(o))
            return err_set(err, -EINVAL, "\"%s\"[%" PRIu32 "] must be an integer, not %s",
                           f->name, i, fields_type_name(o));
        if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER || o->via.u64 == 0)
            return err_set(err, -EINVAL, "\"%s\"[%" PRIu32 "] must be at least 1", f->name, i);
    }
    return 0;
}

static int fields_read_array(const struct field *f, const msgpack_object *o, void *ret,
                             struct err *err)
{
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return fields_wrong_type(f, "an array", o, err);
    if (f->max && o->via.array.size > f->max)
        return err_set(err, -EINVAL, "\"%s\" has more than %" PRIu64 " elements", f->name,
                       f->max);
    int r = 0;
    if (f->type == FIELD_TEXTS)
        r = fields_check_texts(f, o, err);
    else if (f->type == FIELD_IDS)
        r = fields_check_ids(f, o, err);
    if (r < 0)
        return r;
    *(const msgpack_object **)ret = o;
    return 0;
}

static int fields_read_map(const struct field *f, const msgpack_object *o, void *ret,
                           struct err *err)
{
    if (o->type != MSGPACK_OBJECT_MAP)
        return fields_wrong_type(f, "a map", o, err);
    if (f->max && o->via.map.size > f->max)
        return err_set(err, -EINVAL, "\"%s\" has more than %" PRIu64 " pairs", f->name, f->max);
    *(const msgpack_object **)ret = o;
    return 0;
}

static int fields_read_one(const struct field *f, const msgpack_object *o, void *out,
                           struct err *err)
{
    void *ret = (char *)out + f->offset;
    switch (f->type) {
    case FIELD_BOOL:
        return fields_read_bool(f, o, ret, err);
    case FIELD_UINT:
        return fields_read_uint(f, o, ret, err);
    case FIELD_INT:
        return fields_read_int(f, o, ret, err);
    case FIELD_NUMBER:
        return fields_read_number(f, o, ret, err);
    case FIELD_TEXT:
        return fields_read_text(f, o, ret, err);
    case FIELD_OBJECT:
        *(const msgpack_object **)ret = o;
        return 0;
    case FIELD_ARRAY:
    case FIELD_TEXTS:
    case FIELD_IDS:
        return fields_read_array(f, o, ret, err);
    case FIELD_MAP:
        return fields_read_map(f, o, ret, err);
    }
    return err_set(err, -EPROTO, "\"%s\" is declared with no type", f->name);
}

static int fields_unknown(const struct field *fields, size_t n, const msgpack_object *key,
                          struct err *err)
{
    struct bytes name = object_text(key);
    if (!name.data)
        return err_set(err, -EINVAL, "the name of a field must be a text, not %s",
                       fields_type_name(key));
    char quoted[BYTES_QUOTE_MAX], known[ERR_MSG_MAX] = "";
    size_t len = 0;
    for (size_t i = 0; i < n && len < sizeof(known); i++)
        len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
                                fields[i].name);
    return err_set(err, -EINVAL, "unknown field %s (known: %s)", bytes_quote(quoted, name),
                   n ? known : "none");
}

int fields_read(const struct field *fields, size_t n, const msgpack_object *map, void *out,
                struct err *err)
{
    assert(n <= FIELDS_MAX);
    uint64_t seen = 0, given = 0;
    if (map && map->type != MSGPACK_OBJECT_MAP)
        return err_set(err, -EINVAL, "must be a map, not %s", fields_type_name(map));
    for (uint32_t i = 0; map && i < map->via.map.size; i++) {
        const msgpack_object_kv *kv = &map->via.map.ptr[i];
        struct bytes key = object_text(&kv->key);
        size_t f = 0;
        while (f < n && !bytes_equal(key, fields[f].name))
            f++;
        if (f == n)
            return fields_unknown(fields, n, &kv->key, err);
        if (seen & UINT64_C(1) << f)
            return err_set(err, -EINVAL, "\"%s\" is there twice", fields[f].name);
        seen |= UINT64_C(1) << f;
        if (kv->val.type == MSGPACK_OBJECT_NIL)
            continue;
        given |= UINT64_C(1) << f;
        int r = fields_read_one(&fields[f], &kv->val, out, err);
        if (r < 0)
            return r;
    }
    for (size_t f = 0; f < n; f++) {
        if (fields[f].required && !(given & UINT64_C(1) << f))
            return err_set(err, -EINVAL, "\"%s\" is missing", fields[f].name);
    }
    return 0;
}
