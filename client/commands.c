/* SPDX-License-Identifier: MIT */
/*
 * commands - the table of verbs, and the one way through it: options of aioctl, verb, options
 * of the verb, words, run.
 */
#include "client/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "client/context.h"
#include "client/help.h"

/* In the order of `aioctl help`. */
const struct command *const commands_all[] = {
    &cmd_submit,  &cmd_run,          &cmd_status,    &cmd_await,     &cmd_wait,   &cmd_result,
    &cmd_is_done, &cmd_is_cancelled, &cmd_is_failed, &cmd_logs,      &cmd_events, &cmd_cancel,
    &cmd_retry,   &cmd_rm,           &cmd_group,     &cmd_functions, &cmd_health, &cmd_help,
};
const size_t commands_n = ARRAY_SIZE(commands_all);

#define COMMON(member) offsetof(struct context_options, member)
const struct option_def commands_options[] = {
    {"socket", 0, OPTION_TEXT, "PATH", "the event loop at this socket; also $AIOD_SOCKET",
     COMMON(socket)},
    {"user", 0, OPTION_FLAG, NULL, "your own event loop", COMMON(user)},
    {"system", 0, OPTION_FLAG, NULL, "the system's event loop", COMMON(system)},
    {"color", 0, OPTION_TEXT, "auto|always|never",
     "colours; auto: on a terminal, without $NO_COLOR", COMMON(color)},
    {"help", 'h', OPTION_FLAG, NULL, "say how to use it", COMMON(help)},
    {"version", 0, OPTION_FLAG, NULL, "print the version", COMMON(version)},
};
#undef COMMON
const size_t commands_noptions = ARRAY_SIZE(commands_options);

/* Whether name is one of the words in names. */
static bool commands_named(const char *names, const char *name)
{
    size_t len = strlen(name);
    while (names && *names) {
        size_t n = strcspn(names, " ");
        if (n == len && memcmp(names, name, n) == 0)
            return true;
        names += n + (names[n] == ' ');
    }
    return false;
}

const struct command *commands_find(const char *name)
{
    for (size_t i = 0; i < commands_n; i++) {
        if (strcmp(commands_all[i]->name, name) == 0 ||
            commands_named(commands_all[i]->aliases, name))
            return commands_all[i];
    }
    return NULL;
}

static int commands_usage(const struct context *c, const char *sentence)
{
    bool verb = c->command && c->command != &cmd_help;
    context_say(c, "%s: aioctl help%s%s", sentence, verb ? " " : "",
                verb ? c->command->name : "");
    return c->own_exit ? EXIT_OWN : EXIT_USAGE;
}

/* --help and --version, which need no verb and no daemon. False: neither was given. */
static bool commands_answer(const struct context *c, int *ret_status)
{
    struct buf out = BUF_INIT;
    if (c->options.version)
        buf_puts(&out, "aioctl " AIOD_VERSION "\n");
    else if (c->options.help && c->command)
        help_command(&out, c->command);
    else if (c->options.help)
        help_overview(&out);
    else
        return false;
    *ret_status = context_print(c, &out);
    return true;
}

static bool commands_color_known(const char *color)
{
    return !color || strcmp(color, "auto") == 0 || strcmp(color, "always") == 0 ||
           strcmp(color, "never") == 0;
}

static int commands_check_words(const struct context *c, size_t n)
{
    const struct command *command = c->command;
    if (n < command->min_words)
        return commands_usage(c, "which task?");
    size_t most = command->max_words > 0 ? (size_t)command->max_words : 0;
    if (command->max_words != 0 && n > most)
        return commands_usage(c, "too many words");
    return EXIT_OK;
}

/* Options and words of the verb, then the verb itself. */
static int commands_run(struct context *c, void *options, int argc, char **argv)
{
    const struct command *command = c->command;
    struct options_table tables[] = {
        {command->options, command->noptions, options},
        {commands_options, commands_noptions, &c->options},
    };
    struct err err = ERR_INIT;
    size_t words = 0;
    int status = EXIT_OK;
    if (options_parse(tables, ARRAY_SIZE(tables), command->stop_at_word, argc, argv, &words,
                      &err) < 0)
        status = commands_usage(c, err.msg);
    else if (!commands_color_known(c->options.color))
        status = commands_usage(c, "--color is auto, always or never");
    else if (!commands_answer(c, &status)) {
        status = commands_check_words(c, words);
        if (status == EXIT_OK)
            status = command->run(c, options, argv, words);
    }
    options_done(&tables[0]);
    return status;
}

static int commands_dispatch(struct context *c, int argc, char **argv)
{
    struct options_table table = {commands_options, commands_noptions, &c->options};
    struct err err = ERR_INIT;
    size_t words = 0;
    int status;
    if (options_parse(&table, 1, true, argc, argv, &words, &err) < 0)
        return commands_usage(c, err.msg);
    if (commands_answer(c, &status))
        return status;
    c->command = words > 0 ? commands_find(argv[0]) : &cmd_status;
    if (!c->command) {
        context_say(c, "there is no verb %s: `aioctl help` lists them", argv[0]);
        return EXIT_USAGE;
    }
    c->own_exit = c->command->own_exit;
    _cleanup_(defs_freep) void *options = calloc(1, c->command->options_size + 1);
    if (!options) {
        context_say(c, "out of memory");
        return EXIT_REFUSED;
    }
    return commands_run(c, options, words > 0 ? (int)words - 1 : 0, argv + (words > 0));
}

int commands_main(int argc, char **argv)
{
    struct context c;
    context_init(&c);
    int status = commands_dispatch(&c, argc > 0 ? argc - 1 : 0, argv + (argc > 0));
    context_done(&c);
    return status;
}
