/* SPDX-License-Identifier: MIT */
/*
 * aioctl submit - makes a task and prints its id, alone.
 */
#include "client/context.h"
#include "client/json.h"
#include "client/submit.h"

static int cmd_submit_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct spec_options *o = options;
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct err err = ERR_INIT;
    uint32_t msgid;
    uint64_t id;
    c->brief = true;
    int r = submit_send(c, o, words, n, false, &msgid, &err);
    if (r == 0)
        r = submit_wait(c, msgid, &id, &reply, &err);
    if (r < 0)
        return context_fail(c, &err);
    struct buf out = BUF_INIT;
    if (o->format == FORMAT_JSON || o->format == FORMAT_JSONL)
        json_write(&out, reply->result);
    else
        buf_printf(&out, "%llu", (unsigned long long)id);
    buf_puts(&out, "\n");
    return context_print(c, &out);
}

const struct command cmd_submit = {
    .name = "submit",
    .synopsis = "[OPTION…] COMMAND [ARG…]\n"
                "       aioctl submit [OPTION…] -c LINE\n"
                "       aioctl submit [OPTION…] --call FUNCTION [ARG…]",
    .summary = "make a task and print its id (asyncio.create_task)",
    .text =
        "The task is on disk when the id is printed. Options end at the first word of the\n"
        "command, which is run as given: no shell, your directory, environment and umask.\n"
        "The environment loses what belongs to your terminal and session. With --call, an\n"
        "argument NAME=VALUE is a keyword where the function has a parameter of that name.\n"
        "Where no event loop answers, your own is started (AIOD_NO_START=1 forbids it).",
    .options = spec_defs,
    .noptions = SPEC_NDEFS,
    .options_size = sizeof(struct spec_options),
    .stop_at_word = true,
    .run = cmd_submit_run,
};
