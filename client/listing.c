/* SPDX-License-Identifier: MIT */
#include "client/listing.h"

#include "client/escape.h"
#include "client/json.h"
#include "proto/unpack.h"

/* A name is a text, a task's id a number. */
static void listing_id(struct buf *b, const struct listing *l, const msgpack_object *item)
{
    struct bytes name = map_text(item, l->id ? l->id : "id");
    if (name.data)
        escape_text(b, name.data, name.len);
    else
        buf_printf(b, "%llu", (unsigned long long)map_uint(item, l->id ? l->id : "id", 0));
}

void listing_add(struct buf *b, struct listing *l, const msgpack_object *item)
{
    if (l->format == FORMAT_JSON)
        buf_puts(b, l->n > 0 ? ",\n" : "[");
    if (l->format == FORMAT_ID)
        listing_id(b, l, item);
    else
        json_write(b, item);
    if (l->format != FORMAT_JSON)
        buf_puts(b, "\n");
    l->n++;
}

void listing_end(struct buf *b, const struct listing *l)
{
    if (l->format == FORMAT_JSON)
        buf_puts(b, l->n > 0 ? "]\n" : "[]\n");
}

void listing_render(struct buf *b, enum option_format format,
                    const msgpack_object *const *tasks, size_t n)
{
    struct listing l = {.format = format};
    for (size_t i = 0; i < n; i++)
        listing_add(b, &l, tasks[i]);
    listing_end(b, &l);
}
