/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * options - the command line, read by tables of declared options.
 *
 * An option is --name or -letter; its argument follows as `--name X`, `--name=X`, `-l X` or
 * `-lX`, and letters can be joined (`-fn 5`). `--` ends the options. A command that takes
 * another program's command line stops at its first word, so that `aioctl submit rsync -a src
 * dst` needs no `--`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum option_type {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char *, borrowed from argv */
    OPTION_TEXTS,    /* struct option_texts: may be given several times */
    OPTION_COUNT,    /* struct option_number */
    OPTION_DURATION, /* struct option_number, nanoseconds */
    OPTION_FORMAT,   /* enum option_format; those allowed are listed in arg: "table|id" */
};

enum option_format {
    FORMAT_DEFAULT, /* -o was not given */
    FORMAT_TABLE,
    FORMAT_WIDE,
    FORMAT_ID,
    FORMAT_JSON,
    FORMAT_JSONL,
};

struct option_texts {
    const char **items; /* owned array of texts borrowed from argv */
    size_t n;
};

struct option_number {
    bool given;
    uint64_t value;
};

struct option_def {
    const char *name; /* without dashes */
    char letter;      /* '\0': none */
    enum option_type type;
    const char *arg; /* what help calls its argument; NULL for flags */
    const char *help;
    size_t offset; /* of the member that it fills */
};

/* One table and the struct it fills. */
struct options_table {
    const struct option_def *defs;
    size_t n;
    void *out; /* zeroed by the caller before the first parse */
};

/* Reads options out of argv[0..argc). The words that are left are moved to its front, in order,
 * and *ret_words counts them; with stop_at_word everything from the first word on is left as it
 * is. 0, -EINVAL with a sentence, or -ENOMEM. */
int options_parse(const struct options_table *tables, size_t ntables, bool stop_at_word,
                  int argc, char **argv, size_t *ret_words, struct err *);
/* Frees what options_parse allocated in the struct of a table. */
void options_done(const struct options_table *);
/* The lines of help for a table. */
void options_help(struct buf *out, const struct option_def *defs, size_t n);
