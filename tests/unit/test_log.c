/* SPDX-License-Identifier: MIT */
/*
 * test_log - what reaches stderr: one line an event, nothing that a user chose as a line of its
 * own, the journal's prefix only where stderr is the journal. And what is printable.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/log.h"
#include "base/printable.h"

struct capture {
    int pipe[2];
    int stderr_fd; /* the real one */
    char text[8192];
};

static int setup(void **state)
{
    static struct capture c;
    assert_int_equal(pipe2(c.pipe, O_CLOEXEC | O_NONBLOCK), 0);
    c.stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(dup2(c.pipe[1], STDERR_FILENO), STDERR_FILENO);
    unsetenv("JOURNAL_STREAM");
    *state = &c;
    return 0;
}

static int teardown(void **state)
{
    struct capture *c = *state;
    unsetenv("JOURNAL_STREAM");
    dup2(c->stderr_fd, STDERR_FILENO);
    close(c->stderr_fd);
    close(c->pipe[0]);
    close(c->pipe[1]);
    return 0;
}

/* What was written since the last call. */
static const char *captured(struct capture *c)
{
    ssize_t n = read(c->pipe[0], c->text, sizeof(c->text) - 1);
    c->text[n > 0 ? n : 0] = '\0';
    return c->text;
}

static void log_line_has_time_and_name(void **state)
{
    struct capture *c = *state;
    struct logger log;
    int hour, minute, second, ms, at = 0;
    log_init(&log, "aiod");
    log_info(&log, "serving %d", 7);
    assert_int_equal(sscanf(captured(c), "%2d:%2d:%2d.%3d aiod: serving 7\n%n", &hour, &minute,
                            &second, &ms, &at),
                     4);
    assert_int_equal(strlen(c->text), at);
}

static void log_level_leaves_out(void **state)
{
    struct capture *c = *state;
    struct logger log;
    log_init(&log, "aiod");
    log_debug(&log, "no");
    assert_string_equal(captured(c), "");
    log.level = 7;
    log_debug(&log, "yes");
    assert_non_null(strstr(captured(c), "aiod: yes\n"));
    log.level = 3;
    log_warning(&log, "no");
    assert_string_equal(captured(c), "");
}

static void log_knows_the_journal(void **state)
{
    struct capture *c = *state;
    struct logger log;
    struct stat st;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init(&log, "aiod");
    log_error(&log, "a");
    log_warning(&log, "b");
    log_notice(&log, "c");
    log_info(&log, "d");
    assert_string_equal(captured(c), "<3>a\n<4>b\n<5>c\n<6>d\n");
}

/* A terminal that a unit has opened inherits the variable, not the stream. */
static void log_knows_what_is_not_the_journal(void **state)
{
    static const char *const streams[] = {"1:1", "", "journal", "8:"};
    struct capture *c = *state;
    struct logger log;
    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        setenv("JOURNAL_STREAM", streams[i], 1);
        log_init(&log, "aiod");
        log_error(&log, "x");
        assert_non_null(strstr(captured(c), " aiod: x\n"));
    }
}

static void log_line_is_one_line(void **state)
{
    struct capture *c = *state;
    struct logger log;
    log_init(&log, "aiod");
    log_info(&log, "name \"%s\"", "a\n<0>fake\x1b[2J\x7f\xc2\x9b\xe2\x80\xae\xff\r\ttail");
    const char *text = strstr(captured(c), "name");
    assert_string_equal(text, "name \"a?<0>fake?[2J" /* nine: */ "?????"
                              "????"
                              "tail\"\n");
}

static void log_line_is_cut(void **state)
{
    struct capture *c = *state;
    struct logger log;
    char text[3000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_init(&log, "aiod");
    log_info(&log, "%s", text);
    size_t len = strlen(captured(c));
    assert_in_range(len, 900, 1024);
    assert_int_equal(c->text[len - 1], '\n');
    assert_ptr_equal(strchr(c->text, '\n'), c->text + len - 1);
}

/* Nobody reads: nothing blocks, and later it is said how much is missing. */
static void log_counts_what_it_drops(void **state)
{
    struct capture *c = *state;
    struct logger log;
    unsigned lines = 0;
    log_init(&log, "aiod");
    while (log.dropped < 3 && ++lines < 100000)
        log_info(&log, "line");
    assert_int_equal(log.dropped, 3);
    while (*captured(c))
        continue;
    log_info(&log, "again");
    assert_non_null(strstr(captured(c), " 3 lines are missing here"));
    assert_non_null(strstr(c->text, " aiod: again\n"));
    assert_int_equal(log.dropped, 0);
    log_info(&log, "and again");
    assert_null(strstr(captured(c), "missing"));
}

static const struct {
    const char *text;
    const char *forced;
} printable_cases[] = {
    {"", ""},
    {"plain", "plain"},
    {"über 猫 🎉 \xc2\xa0", "über 猫 🎉 \xc2\xa0"},
    {"a\nb", "a?b"},
    {"\x01\x1f\x7f", "???"},
    {"\xc2\x80|\xc2\x9f", "??|??"},           /* C1 */
    {"\xe2\x80\xa8|\xe2\x80\xa9", "???|???"}, /* U+2028, U+2029 */
    {"\xe2\x80\xaa\xe2\x80\xae|\xe2\x80\xaf",
     "??????|\xe2\x80\xaf"}, /* U+202A, U+202E, U+202F */
    {"\xe2\x81\xa6\xe2\x81\xa9|\xe2\x81\xaa",
     "??????|\xe2\x81\xaa"},          /* U+2066, U+2069, U+206A */
    {"\xff|\xc3|\xe2\x80", "?|?|??"}, /* not UTF-8 */
    {"\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80",
     "??|???|????"}, /* overlong, surrogate, too high */
};

static void printable_cases_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(printable_cases); i++) {
        const char *text = printable_cases[i].text;
        char forced[64];
        snprintf(forced, sizeof(forced), "%s", text);
        printable_force(forced, strlen(forced));
        assert_string_equal(forced, printable_cases[i].forced);
        assert_int_equal(printable_check(text, strlen(text)), strcmp(text, forced) == 0);
        assert_true(printable_check(forced, strlen(forced)));
    }
    assert_false(printable_check("a\0b", 3));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(log_line_has_time_and_name), TEST(log_level_leaves_out),
        TEST(log_knows_the_journal),      TEST(log_knows_what_is_not_the_journal),
        TEST(log_line_is_one_line),       TEST(log_line_is_cut),
        TEST(log_counts_what_it_drops),   cmocka_unit_test(printable_cases_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
