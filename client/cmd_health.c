/* SPDX-License-Identifier: MIT */
/*
 * aioctl health - how the daemon itself is.
 */
#include "client/context.h"
#include "client/health.h"
#include "client/json.h"

struct cmd_health {
    enum option_format format;
};

static const struct option_def cmd_health_defs[] = {
    {"output", 'o', OPTION_FORMAT, "table|json|jsonl", "how to print",
     offsetof(struct cmd_health, format)},
};

static int cmd_health_run(struct context *c, const void *options, char **words, size_t n)
{
    (void)words;
    (void)n;
    const struct cmd_health *o = options;
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    if (context_call(c, "health", NULL, &reply, &err) < 0)
        return context_fail(c, &err);
    if (o->format == FORMAT_JSON || o->format == FORMAT_JSONL) {
        json_write(&out, reply->result);
        buf_puts(&out, "\n");
    } else {
        health_render(&out, reply->result);
    }
    return context_print(c, &out);
}

const struct command cmd_health = {
    .name = "health",
    .synopsis = "[OPTION…]",
    .summary = "how the event loop is: load, lag, tasks, disk, memory",
    .options = cmd_health_defs,
    .noptions = ARRAY_SIZE(cmd_health_defs),
    .options_size = sizeof(struct cmd_health),
    .max_words = COMMAND_NO_WORDS,
    .run = cmd_health_run,
};
