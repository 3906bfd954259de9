/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * command - one verb of aioctl: what help says of it, its options, and how it runs.
 *
 * Each lives in a file of its own, cmd_VERB.c, and is listed in commands.c.
 */
#include <stdbool.h>
#include <stddef.h>

#include "client/options.h"

struct context;

enum { COMMAND_NO_WORDS = -1 };

struct command {
    const char *name;
    const char *aliases;  /* separated by blanks; NULL: none */
    const char *synopsis; /* behind the name, in help */
    const char *summary;  /* a few words, for the list of verbs */
    const char *text;     /* what else help says of it; NULL: nothing */
    const struct option_def *options;
    size_t noptions;
    size_t options_size; /* of the struct that they fill; it begins zeroed */
    bool stop_at_word;   /* options end at the first word: another command line follows */
    bool own_exit;       /* the task's status is the exit status: aioctl's own errors are 125 */
    size_t min_words;
    int max_words; /* 0: no bound; COMMAND_NO_WORDS: none */
    /* Returns the exit status, having said on stderr what went wrong. */
    int (*run)(struct context *, const void *options, char **words, size_t n);
};

extern const struct command cmd_await;
extern const struct command cmd_cancel;
extern const struct command cmd_events;
extern const struct command cmd_functions;
extern const struct command cmd_group;
extern const struct command cmd_health;
extern const struct command cmd_help;
extern const struct command cmd_is_cancelled;
extern const struct command cmd_is_done;
extern const struct command cmd_is_failed;
extern const struct command cmd_logs;
extern const struct command cmd_result;
extern const struct command cmd_retry;
extern const struct command cmd_rm;
extern const struct command cmd_run;
extern const struct command cmd_status;
extern const struct command cmd_submit;
extern const struct command cmd_wait;
