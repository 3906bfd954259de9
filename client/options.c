/* SPDX-License-Identifier: MIT */
/*
 * options - one pass over argv; every error names the option.
 */
#include "client/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "base/parse.h"

/* The place in argv, and what every step needs. */
struct options_cursor {
    const struct options_table *tables;
    size_t ntables;
    int argc;
    char **argv;
    int at;
    struct err *err;
};

/* An option that was found, and the struct that it fills. */
struct options_match {
    const struct option_def *def;
    char *out;
};

static const char *const options_formats[] = {
    [FORMAT_TABLE] = "table", [FORMAT_WIDE] = "wide",   [FORMAT_ID] = "id",
    [FORMAT_JSON] = "json",   [FORMAT_JSONL] = "jsonl",
};

static struct options_match options_find_name(const struct options_cursor *c, const char *name,
                                              size_t len)
{
    for (size_t t = 0; t < c->ntables; t++) {
        for (size_t i = 0; i < c->tables[t].n; i++) {
            const struct option_def *def = &c->tables[t].defs[i];
            if (strlen(def->name) == len && memcmp(def->name, name, len) == 0)
                return (struct options_match){def, c->tables[t].out};
        }
    }
    return (struct options_match){NULL, NULL};
}

static struct options_match options_find_letter(const struct options_cursor *c, char letter)
{
    for (size_t t = 0; t < c->ntables; t++) {
        for (size_t i = 0; i < c->tables[t].n; i++) {
            const struct option_def *def = &c->tables[t].defs[i];
            if (def->letter == letter)
                return (struct options_match){def, c->tables[t].out};
        }
    }
    return (struct options_match){NULL, NULL};
}

static int options_add_text(struct option_texts *texts, const char *text)
{
    const char **items = reallocarray(texts->items, texts->n + 1, sizeof(*items));
    if (!items)
        return -ENOMEM;
    items[texts->n++] = text;
    texts->items = items;
    return 0;
}

/* Whether word is one of those in "a|b|c". */
static bool options_listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, "|");
        if (n == len && memcmp(at, word, n) == 0)
            return true;
        at += n + (at[n] == '|');
    }
    return false;
}

static int options_set_format(const struct option_def *def, enum option_format *ret,
                              const char *text, struct err *err)
{
    for (size_t i = FORMAT_TABLE; i < ARRAY_SIZE(options_formats); i++) {
        if (strcmp(options_formats[i], text) == 0 && options_listed(def->arg, text)) {
            *ret = (enum option_format)i;
            return 0;
        }
    }
    return err_set(err, -EINVAL, "--%s: \"%s\" is none of %s", def->name, text, def->arg);
}

static int options_set_number(const struct option_def *def, struct option_number *ret,
                              const char *text, struct err *err)
{
    bool duration = def->type == OPTION_DURATION;
    int r = duration ? parse_duration(text, &ret->value) : parse_u64(text, &ret->value);
    if (r < 0)
        return err_set(err, -EINVAL, "--%s: \"%s\" is %s", def->name, text,
                       r == -ERANGE ? "too large"
                       : duration   ? "no duration, such as 90, 250ms, 10s, 1h30m"
                                    : "no number");
    ret->given = true;
    return 0;
}

static int options_set(struct options_match m, const char *text, struct err *err)
{
    void *place = m.out + m.def->offset;
    switch (m.def->type) {
    case OPTION_FLAG:
        *(bool *)place = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)place = text;
        return 0;
    case OPTION_TEXTS:
        return options_add_text(place, text);
    case OPTION_COUNT:
    case OPTION_DURATION:
        return options_set_number(m.def, place, text, err);
    case OPTION_FORMAT:
        return options_set_format(m.def, place, text, err);
    }
    return -EINVAL;
}

/* Sets an option whose argument is in the same word (inline_arg) or, if that is NULL, the next
 * one. */
static int options_set_with_argument(struct options_cursor *c, struct options_match m,
                                     const char *inline_arg)
{
    const char *arg = inline_arg;
    if (!arg && c->at < c->argc)
        arg = c->argv[c->at++];
    if (!arg)
        return err_set(c->err, -EINVAL, "--%s needs an argument: %s", m.def->name, m.def->arg);
    return options_set(m, arg, c->err);
}

/* "--name", "--name=X" */
static int options_long(struct options_cursor *c, const char *word)
{
    size_t len = strcspn(word, "=");
    const char *inline_arg = word[len] == '=' ? word + len + 1 : NULL;
    struct options_match m = options_find_name(c, word, len);
    if (!m.def)
        return err_set(c->err, -EINVAL, "there is no option --%.*s", (int)len, word);
    if (m.def->type != OPTION_FLAG)
        return options_set_with_argument(c, m, inline_arg);
    if (inline_arg)
        return err_set(c->err, -EINVAL, "--%s takes no argument", m.def->name);
    return options_set(m, NULL, c->err);
}

/* "-f", "-fn5", "-fn" "5" */
static int options_letters(struct options_cursor *c, const char *word)
{
    for (const char *at = word; *at; at++) {
        struct options_match m = options_find_letter(c, *at);
        if (!m.def)
            return err_set(c->err, -EINVAL, "there is no option -%c", *at);
        if (m.def->type != OPTION_FLAG)
            return options_set_with_argument(c, m, at[1] ? at + 1 : NULL);
        int r = options_set(m, NULL, c->err);
        if (r < 0)
            return r;
    }
    return 0;
}

static size_t options_take_rest(struct options_cursor *c, size_t words)
{
    while (c->at < c->argc)
        c->argv[words++] = c->argv[c->at++];
    return words;
}

int options_parse(const struct options_table *tables, size_t ntables, bool stop_at_word,
                  int argc, char **argv, size_t *ret_words, struct err *err)
{
    struct options_cursor c = {tables, ntables, argc, argv, 0, err};
    size_t words = 0;
    while (c.at < argc) {
        char *word = argv[c.at];
        if (strcmp(word, "--") == 0) {
            c.at++;
            words = options_take_rest(&c, words);
            break;
        }
        if (word[0] != '-' || word[1] == '\0') {
            if (stop_at_word) {
                words = options_take_rest(&c, words);
                break;
            }
            argv[words++] = word;
            c.at++;
            continue;
        }
        c.at++;
        int r = word[1] == '-' ? options_long(&c, word + 2) : options_letters(&c, word + 1);
        if (r == -ENOMEM)
            return err_set(err, r, "out of memory");
        if (r < 0)
            return r;
    }
    *ret_words = words;
    return 0;
}

void options_done(const struct options_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        if (table->defs[i].type != OPTION_TEXTS)
            continue;
        struct option_texts *texts = (void *)((char *)table->out + table->defs[i].offset);
        free(texts->items);
        *texts = (struct option_texts){NULL, 0};
    }
}

/* "-g, --group GROUP" */
static void options_help_name(struct buf *b, const struct option_def *def)
{
    if (def->letter)
        buf_printf(b, "-%c, ", def->letter);
    else
        buf_puts(b, "    ");
    buf_printf(b, "--%s", def->name);
    if (def->arg)
        buf_printf(b, " %s", def->arg);
}

void options_help(struct buf *out, const struct option_def *defs, size_t n)
{
    size_t widest = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n; i++) {
            struct buf name = BUF_INIT;
            options_help_name(&name, &defs[i]);
            if (name.len > widest)
                widest = name.len;
            if (pass == 1)
                buf_printf(out, "  %-*s  %s\n", (int)widest,
                           buf_cstr(&name) ? buf_cstr(&name) : "", defs[i].help);
            buf_done(&name);
        }
    }
}
