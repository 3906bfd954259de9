/* SPDX-License-Identifier: MIT */
/*
 * python - JSON with Python's words for what differs.
 */
#include "client/python.h"

#include "client/escape.h"
#include "client/json.h"
#include "proto/unpack.h"

static void python_array(struct buf *b, const msgpack_object_array *array)
{
    for (uint32_t i = 0; i < array->size; i++) {
        buf_puts(b, i > 0 ? ", " : "");
        python_object(b, &array->ptr[i]);
    }
}

static void python_map(struct buf *b, const msgpack_object_map *map)
{
    for (uint32_t i = 0; i < map->size; i++) {
        buf_puts(b, i > 0 ? ", " : "");
        python_object(b, &map->ptr[i].key);
        buf_puts(b, ": ");
        python_object(b, &map->ptr[i].val);
    }
}

void python_object(struct buf *b, const msgpack_object *o)
{
    if (!o || o->type == MSGPACK_OBJECT_NIL) {
        buf_puts(b, "None");
    } else if (o->type == MSGPACK_OBJECT_BOOLEAN) {
        buf_puts(b, o->via.boolean ? "True" : "False");
    } else if (o->type == MSGPACK_OBJECT_ARRAY) {
        buf_puts(b, "[");
        python_array(b, &o->via.array);
        buf_puts(b, "]");
    } else if (o->type == MSGPACK_OBJECT_MAP) {
        buf_puts(b, "{");
        python_map(b, &o->via.map);
        buf_puts(b, "}");
    } else {
        json_write(b, o);
    }
}

/* delay=2.5, many=[…] */
static void python_keywords(struct buf *b, const msgpack_object_map *map)
{
    for (uint32_t i = 0; i < map->size; i++) {
        struct bytes key = object_text(&map->ptr[i].key);
        buf_puts(b, i > 0 ? ", " : "");
        if (key.data)
            escape_text(b, key.data, key.len);
        buf_puts(b, "=");
        python_object(b, &map->ptr[i].val);
    }
}

void python_call(struct buf *b, const msgpack_object *task)
{
    struct bytes function = map_text(task, "function");
    const msgpack_object *args = map_get(task, "args");
    const msgpack_object *argv = map_get(args, "argv");
    if (function.data)
        escape_text(b, function.data, function.len);
    buf_puts(b, "(");
    if (bytes_equal(function, "exec") && argv && argv->type == MSGPACK_OBJECT_ARRAY)
        python_array(b, &argv->via.array);
    else if (args && args->type == MSGPACK_OBJECT_ARRAY)
        python_array(b, &args->via.array);
    else if (args && args->type == MSGPACK_OBJECT_MAP)
        python_keywords(b, &args->via.map);
    buf_puts(b, ")");
}

void python_error(struct buf *b, const msgpack_object *error)
{
    struct bytes type = map_text(error, "type");
    struct bytes message = map_text(error, "message");
    int64_t number = map_int(error, "signal", map_int(error, "exit", -1));
    /* a command's exit is its status; where it could not start, the sentence says more */
    bool status = bytes_equal(type, "ExitStatus") || bytes_equal(type, "Signal");
    if (type.data)
        escape_text(b, type.data, type.len);
    else
        buf_puts(b, "Exception");
    buf_puts(b, "(");
    if (number >= 0 && status)
        buf_printf(b, "%lld", (long long)number);
    else if (message.data)
        json_write_text(b, message.data, message.len);
    buf_puts(b, ")");
}
