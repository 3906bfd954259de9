/* SPDX-License-Identifier: MIT */
#include "client/listing.h"

#include "client/json.h"
#include "proto/unpack.h"

static void listing_json(struct buf *b, const msgpack_object *const *tasks, size_t n)
{
    buf_puts(b, "[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, i > 0 ? ",\n" : "");
        json_write(b, tasks[i]);
    }
    buf_puts(b, "]\n");
}

void listing_render(struct buf *b, enum option_format format,
                    const msgpack_object *const *tasks, size_t n)
{
    if (format == FORMAT_JSON) {
        listing_json(b, tasks, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (format == FORMAT_ID)
            buf_printf(b, "%llu", (unsigned long long)map_uint(tasks[i], "id", 0));
        else
            json_write(b, tasks[i]);
        buf_puts(b, "\n");
    }
}
