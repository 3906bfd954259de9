/* SPDX-License-Identifier: MIT */
/*
 * aioctl help - the verbs, one of them, or the words of asyncio.
 */
#include <string.h>

#include "client/commands.h"
#include "client/context.h"
#include "client/help.h"

static int cmd_help_run(struct context *c, const void *options, char **words, size_t n)
{
    (void)options;
    struct buf out = BUF_INIT;
    const struct command *command = n > 0 ? commands_find(words[0]) : NULL;
    if (n == 0) {
        help_overview(&out);
    } else if (strcmp(words[0], "asyncio") == 0) {
        help_asyncio(&out);
    } else if (command) {
        help_command(&out, command);
    } else {
        context_say(c, "there is no verb %s: `aioctl help` lists them", words[0]);
        return EXIT_USAGE;
    }
    return context_print(c, &out);
}

const struct command cmd_help = {
    .name = "help",
    .synopsis = "[VERB|asyncio]",
    .summary = "this list, one verb, or asyncio's words",
    .max_words = 1,
    .run = cmd_help_run,
};
