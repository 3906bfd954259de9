/* SPDX-License-Identifier: MIT */
/*
 * health - known figures in words; maps whose content may grow (store, spawner) key by key.
 */
#include "client/health.h"

#include "base/defs.h"
#include "base/parse.h"
#include "client/escape.h"
#include "client/header.h"
#include "client/json.h"
#include "client/when.h"
#include "proto/unpack.h"

static void health_label(struct buf *b, const char *label)
{
    buf_printf(b, "  %-12s  ", label);
}

static void health_loop(struct buf *b, const msgpack_object *loop)
{
    if (!loop)
        return;
    health_label(b, "loop");
    buf_printf(b,
               "1 thread · %.1f %% busy · %llu tasks · %llu steps, longest %llu µs · lag at "
               "most %llu µs\n",
               100.0 * map_number(loop, "busy", 0.0),
               (unsigned long long)map_uint(loop, "tasks", 0),
               (unsigned long long)map_uint(loop, "steps", 0),
               (unsigned long long)map_uint(loop, "longest_us", 0),
               (unsigned long long)map_uint(loop, "lag_max_us", 0));
}

/* "key value · key value" */
static void health_map(struct buf *b, const char *label, const msgpack_object *map)
{
    if (!map || map->type != MSGPACK_OBJECT_MAP || map->via.map.size == 0)
        return;
    health_label(b, label);
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        struct bytes key = object_text(&map->via.map.ptr[i].key);
        struct bytes text = object_text(&map->via.map.ptr[i].val);
        buf_puts(b, i > 0 ? " · " : "");
        if (key.data)
            escape_text(b, key.data, key.len);
        buf_puts(b, " ");
        if (text.data)
            escape_text(b, text.data, text.len);
        else
            json_write(b, &map->via.map.ptr[i].val);
    }
    buf_puts(b, "\n");
}

void health_render(struct buf *b, const msgpack_object *health)
{
    char text[WHEN_MAX];
    double up_s = map_number(health, "up_s", 0.0);
    struct bytes version = map_text(health, "aiod");
    buf_puts(b, "aiod ");
    if (version.data)
        escape_text(b, version.data, version.len);
    buf_printf(b, " · process %llu", (unsigned long long)map_uint(health, "pid", 0));
    buf_printf(b, " · up %s\n",
               when_coarse(text, up_s > 0 ? (uint64_t)(up_s * (double)NSEC_PER_SEC) : 0, true));
    health_loop(b, map_get(health, "loop"));
    health_label(b, "tasks");
    header_counts(b, map_get(health, "tasks"), NULL);
    buf_puts(b, "\n");
    health_map(b, "store", map_get(health, "store"));
    health_map(b, "spawner", map_get(health, "spawner"));
    health_label(b, "connections");
    buf_printf(b, "%llu\n", (unsigned long long)map_uint(health, "connections", 0));
    health_label(b, "memory");
    buf_printf(b, "%s\n", format_size(text, map_uint(health, "rss_kib", 0) * 1024));
}
