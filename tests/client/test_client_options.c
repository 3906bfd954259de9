/* SPDX-License-Identifier: MIT */
/*
 * Options: every form, the end at the first word, every error, and the tables of all commands.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "client/commands.h"
#include "client/options.h"

enum { WORDS_MAX = 16 };

/* Words separated by "|", as argv has them. */
struct words {
    char text[256];
    char *argv[WORDS_MAX];
    size_t n;
};

static struct words *words_split(struct words *w, const char *line, const char *separator)
{
    (void)snprintf(w->text, sizeof(w->text), "%s", line);
    w->n = 0;
    for (char *word = strtok(w->text, separator); word; word = strtok(NULL, separator))
        w->argv[w->n++] = word;
    return w;
}

struct settings {
    bool flag;
    const char *text;
    struct option_texts texts;
    struct option_number count;
    struct option_number wait;
    enum option_format format;
};
#define SETTING(member) offsetof(struct settings, member)
static const struct option_def setting_defs[] = {
    {"flag", 'f', OPTION_FLAG, NULL, "", SETTING(flag)},
    {"text", 't', OPTION_TEXT, "T", "", SETTING(text)},
    {"texts", 0, OPTION_TEXTS, "T", "", SETTING(texts)},
    {"count", 'n', OPTION_COUNT, "N", "", SETTING(count)},
    {"wait", 'w', OPTION_DURATION, "D", "", SETTING(wait)},
    {"output", 'o', OPTION_FORMAT, "table|json", "", SETTING(format)},
};

/* Parses a line of words; the words that are left come back joined by "|". */
static int parse(const char *line, bool stop, struct settings *s, char *left, struct err *err)
{
    static struct words words;
    words_split(&words, line, " ");
    struct options_table table = {setting_defs, ARRAY_SIZE(setting_defs), s};
    size_t n = 0;
    *s = (struct settings){0};
    int r = options_parse(&table, 1, stop, (int)words.n, words.argv, &n, err);
    left[0] = '\0';
    for (size_t i = 0; r == 0 && i < n; i++)
        strcat(strcat(left, i ? "|" : ""), words.argv[i]);
    return r;
}

static void settings_done(struct settings *s)
{
    options_done(&(struct options_table){setting_defs, ARRAY_SIZE(setting_defs), s});
}

static void test_options_forms(void **state)
{
    (void)state;
    struct settings s;
    struct err err = ERR_INIT;
    char left[256];
    assert_int_equal(parse("a -f --text=x b -n 5 --wait 1m30s -ojson c", false, &s, left, &err),
                     0);
    assert_string_equal(left, "a|b|c");
    assert_true(s.flag);
    assert_string_equal(s.text, "x");
    assert_true(s.count.given);
    assert_int_equal(s.count.value, 5);
    assert_int_equal(s.wait.value, 90 * NSEC_PER_SEC);
    assert_int_equal(s.format, FORMAT_JSON);
    assert_int_equal(parse("-fn7 --texts a --texts=b -- -f", false, &s, left, &err), 0);
    assert_string_equal(left, "-f");
    assert_int_equal(s.count.value, 7);
    assert_int_equal(s.texts.n, 2);
    assert_string_equal(s.texts.items[0], "a");
    assert_string_equal(s.texts.items[1], "b");
    settings_done(&s);
    assert_int_equal(parse("- -f", false, &s, left, &err), 0);
    assert_string_equal(left, "-");
}

static void test_options_end_at_first_word(void **state)
{
    (void)state;
    struct settings s;
    struct err err = ERR_INIT;
    char left[256];
    assert_int_equal(parse("-f rsync -a --text src -- dst", true, &s, left, &err), 0);
    assert_string_equal(left, "rsync|-a|--text|src|--|dst");
    assert_true(s.flag);
    assert_null(s.text);
    assert_int_equal(parse("-f -- -odd -f", true, &s, left, &err), 0);
    assert_string_equal(left, "-odd|-f");
}

static void test_options_errors(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *sentence;
    } cases[] = {
        {"--nope", "there is no option --nope"},
        {"--nope=1", "there is no option --nope"},
        {"-fx", "there is no option -x"},
        {"--text", "--text needs an argument: T"},
        {"-n", "--count needs an argument: N"},
        {"--flag=1", "--flag takes no argument"},
        {"-n five", "--count: \"five\" is no number"},
        {"-n 99999999999999999999", "--count: \"99999999999999999999\" is too large"},
        {"-w soon", "--wait: \"soon\" is no duration, such as 90, 250ms, 10s, 1h30m"},
        {"-o wide", "--output: \"wide\" is none of table|json"},
        {"-o xml", "--output: \"xml\" is none of table|json"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct settings s;
        struct err err = ERR_INIT;
        char left[256];
        assert_int_equal(parse(cases[i].line, false, &s, left, &err), -EINVAL);
        assert_string_equal(err.msg, cases[i].sentence);
        settings_done(&s);
    }
}

/* Every table of every command: no name or letter twice, every argument named. */
static void test_option_tables(void **state)
{
    (void)state;
    for (size_t c = 0; c < commands_n; c++) {
        const struct command *command = commands_all[c];
        assert_ptr_equal(commands_find(command->name), command);
        for (size_t i = 0; i < command->noptions; i++) {
            const struct option_def *a = &command->options[i];
            assert_true(a->offset < command->options_size);
            assert_int_equal(a->arg == NULL, a->type == OPTION_FLAG);
            for (size_t k = 0; k < i; k++) {
                assert_string_not_equal(a->name, command->options[k].name);
                assert_true(!a->letter || a->letter != command->options[k].letter);
            }
            for (size_t k = 0; k < commands_noptions; k++)
                assert_string_not_equal(a->name, commands_options[k].name);
        }
    }
    assert_ptr_equal(commands_find("ps"), &cmd_status);
    assert_ptr_equal(commands_find("ls"), &cmd_status);
    assert_null(commands_find("stat"));
    assert_null(commands_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_forms),
        cmocka_unit_test(test_options_end_at_first_word),
        cmocka_unit_test(test_options_errors),
        cmocka_unit_test(test_option_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
