/* SPDX-License-Identifier: MIT */
#include "client/alike.h"

#include <string.h>

bool alike_text(const msgpack_object *a, const msgpack_object *b, const char *key)
{
    struct bytes left = map_text(a, key);
    struct bytes right = map_text(b, key);
    return left.len == right.len &&
           (left.len == 0 || memcmp(left.data, right.data, left.len) == 0);
}

struct bytes alike_program(const msgpack_object *task)
{
    struct bytes title = map_text(task, "title");
    size_t n = 0;
    while (n < title.len && title.data[n] != ' ')
        n++;
    return (struct bytes){title.data, n};
}

static bool alike_waits_for_slot(const msgpack_object *task)
{
    return bytes_equal(map_text(task, "state"), "PENDING") && !map_get(task, "cancel") &&
           bytes_equal(map_text(map_get(task, "awaits"), "kind"), "slot");
}

bool alike_paused(const msgpack_object *task)
{
    return map_bool(map_get(task, "awaits"), "paused", false);
}

static bool alike_is_next(const msgpack_object *task)
{
    return map_uint(map_get(task, "awaits"), "position", 0) == 1 && !alike_paused(task);
}

bool alike(const msgpack_object *a, const msgpack_object *b)
{
    if (!alike_waits_for_slot(a) || !alike_waits_for_slot(b))
        return false;
    if (alike_is_next(a) || alike_is_next(b))
        return false; /* stands alone */
    struct bytes left = alike_program(a);
    struct bytes right = alike_program(b);
    return left.len == right.len && left.len > 0 &&
           memcmp(left.data, right.data, left.len) == 0 && alike_text(a, b, "group") &&
           alike_text(a, b, "name") && alike_text(a, b, "function") &&
           map_uint(a, "uid", 0) == map_uint(b, "uid", 0);
}
