/* SPDX-License-Identifier: MIT */
/*
 * aioctl functions - the coroutine functions that --call knows, and their parameters.
 */
#include "client/call.h"
#include "client/context.h"
#include "client/escape.h"
#include "client/listing.h"

struct cmd_functions {
    enum option_format format;
};

static const struct option_def cmd_functions_defs[] = {
    {"output", 'o', OPTION_FORMAT, "table|id|json|jsonl", "how to print",
     offsetof(struct cmd_functions, format)},
};

static void cmd_functions_text(struct buf *b, const msgpack_object *map, const char *key)
{
    struct bytes text = map_text(map, key);
    if (text.data)
        escape_text(b, text.data, text.len);
}

/* "exec(argv…, cwd=, env=)" */
static void cmd_functions_signature(struct buf *b, const msgpack_object *function)
{
    const msgpack_object *params = map_get(function, "params");
    size_t n = params && params->type == MSGPACK_OBJECT_ARRAY ? params->via.array.size : 0;
    cmd_functions_text(b, function, "name");
    buf_puts(b, "(");
    for (size_t i = 0; i < n; i++) {
        const msgpack_object *param = &params->via.array.ptr[i];
        buf_puts(b, i > 0 ? ", " : "");
        cmd_functions_text(b, param, "name");
        if (map_bool(param, "many", false))
            buf_puts(b, "…");
        else if (!map_bool(param, "required", false))
            buf_puts(b, "=");
    }
    buf_puts(b, ")");
}

static void cmd_functions_line(struct buf *b, const msgpack_object *function)
{
    cmd_functions_signature(b, function);
    buf_puts(b, "\n    ");
    cmd_functions_text(b, function, "summary");
    buf_puts(b, map_bool(function, "slot", false) ? "; takes a slot of its group\n" : "\n");
}

static void cmd_functions_full(struct buf *b, const msgpack_object *function)
{
    const msgpack_object *params = map_get(function, "params");
    cmd_functions_line(b, function);
    for (size_t i = 0; params && i < params->via.array.size; i++) {
        const msgpack_object *param = &params->via.array.ptr[i];
        struct buf name = BUF_INIT;
        cmd_functions_text(&name, param, "name");
        buf_puts(&name, ": ");
        cmd_functions_text(&name, param, "type");
        buf_printf(b, "  %-20s  ", buf_cstr(&name) ? buf_cstr(&name) : "");
        cmd_functions_text(b, param, "summary");
        buf_puts(b, map_bool(param, "required", false) ? "; required\n" : "\n");
        buf_done(&name);
    }
}

static void cmd_functions_render(struct buf *b, enum option_format format,
                                 const msgpack_object *functions, const msgpack_object *one)
{
    const msgpack_object_array *all = &functions->via.array;
    if (format != FORMAT_DEFAULT && format != FORMAT_TABLE) {
        struct listing listing = {.format = format, .id = "name"};
        for (uint32_t i = 0; i < all->size; i++) {
            if (!one || one == &all->ptr[i])
                listing_add(b, &listing, &all->ptr[i]);
        }
        listing_end(b, &listing);
    } else if (one) {
        cmd_functions_full(b, one);
    } else {
        for (uint32_t i = 0; i < all->size; i++)
            cmd_functions_line(b, &all->ptr[i]);
    }
}

static int cmd_functions_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_functions *o = options;
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    if (context_call(c, "functions", NULL, &reply, &err) < 0)
        return context_fail(c, &err);
    const msgpack_object *one = n > 0 ? call_find(reply->result, words[0]) : NULL;
    if (n > 0 && !one) {
        context_say(c, "there is no function %s: `aioctl functions` lists them", words[0]);
        return EXIT_NOTHING;
    }
    if (reply->result->type == MSGPACK_OBJECT_ARRAY)
        cmd_functions_render(&out, o->format, reply->result, one);
    return context_print(c, &out);
}

const struct command cmd_functions = {
    .name = "functions",
    .synopsis = "[OPTION…] [NAME]",
    .summary = "the coroutine functions there are, and their parameters",
    .options = cmd_functions_defs,
    .noptions = ARRAY_SIZE(cmd_functions_defs),
    .options_size = sizeof(struct cmd_functions),
    .max_words = 1,
    .run = cmd_functions_run,
};
