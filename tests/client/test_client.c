/* SPDX-License-Identifier: MIT */
/*
 * The command line of aioctl and what it makes of it: options, environment, arguments of calls,
 * the choice of the instance, exit statuses.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "client/call.h"
#include "client/context.h"
#include "client/environ.h"
#include "client/ids.h"
#include "client/json.h"
#include "client/outcome.h"
#include "client/spec.h"
#include "proto/pack.h"
#include "proto/unpack.h"

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

static void test_environ_filter(void **state)
{
    (void)state;
    static const char *const kept[] = {
        "PATH=/bin",  "DISPLAY=:0", "SSH_AUTH_SOCK=/s",
        "HOME=/root", "TERM=xterm", "XDG_RUNTIME_DIR=/run/user/1",
        "EMPTY=",     "SHLVLS=1",   "AIOD_SOCKET=/s"};
    static const char *const gone[] = {
        "SHLVL=1",          "COLUMNS=80",      "LINES=24",        "WINDOWID=1",
        "TMUX=x",           "TMUX_PANE=%1",    "STY=1",           "TERM_SESSION_ID=1",
        "XDG_SESSION_ID=",  "XDG_SEAT=s",      "XDG_VTNR=1",      "LISTEN_FDS=1",
        "LISTEN_PID=1",     "NOTIFY_SOCKET=/", "INVOCATION_ID=1", "JOURNAL_STREAM=",
        "WATCHDOG_USEC=1",  "MANAGERPID=1",    "OLDPWD=/",        "_=/bin/env",
        "AIOD_TASK_ID=1",   "AIOD_ATTEMPT=1",  "SSH_TTY=/dev",    "SSH_CLIENT=1",
        "SSH_CONNECTION=1", "BROKEN"};
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        assert_true(environ_keeps(kept[i]));
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
        assert_false(environ_keeps(gone[i]));
}

static void check_json(struct buf *packed, const char *expected)
{
    struct unpacked u = UNPACKED_INIT;
    struct buf json = BUF_INIT;
    assert_true(buf_ok(packed));
    assert_int_equal(unpack(&u, packed->data, packed->len), 0);
    json_write(&json, &u.root);
    assert_string_equal(buf_cstr(&json), expected);
    buf_done(&json);
    unpacked_done(&u);
    buf_done(packed);
}

static void test_environ_pack(void **state)
{
    (void)state;
    struct words words;
    char **env = words_split(&words, "HOME=/h|SHLVL=2|A=1|PWD=/old", "|")->argv;
    env[words.n] = NULL;
    const char *items[] = {"A=2", "B=3", "B=4"};
    struct option_texts set = {items, 3};
    struct option_texts none = {NULL, 0};
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(environ_pack(&b, env, false, &none, NULL, &err), 0);
    check_json(&b, "[\"HOME=/h\",\"A=1\",\"PWD=/old\"]");
    assert_int_equal(environ_pack(&b, env, false, &set, "/new", &err), 0);
    check_json(&b, "[\"HOME=/h\",\"PWD=/new\",\"A=2\",\"B=4\"]");
    assert_int_equal(environ_pack(&b, env, true, &set, "/new", &err), 0);
    check_json(&b, "[\"HOME=/h\",\"A=2\",\"B=4\"]");
    items[2] = "=x";
    assert_int_equal(environ_pack(&b, env, false, &set, NULL, &err), -EINVAL);
    assert_string_equal(err.msg, "--env: \"=x\" is not NAME=VALUE");
    buf_done(&b);
}

/* [{name: "f", params: [{name: "delay"}, {name: "rest", many: true}]}] */
static void pack_functions(struct buf *b)
{
    pack_array(b, 1);
    pack_map(b, 2);
    pack_text(b, "name");
    pack_text(b, "f");
    pack_text(b, "params");
    pack_array(b, 2);
    pack_map(b, 1);
    pack_text(b, "name");
    pack_text(b, "delay");
    pack_map(b, 2);
    pack_text(b, "name");
    pack_text(b, "rest");
    pack_text(b, "many");
    pack_bool(b, true);
}

static void check_call(const char *function, const char *line, const char *expected)
{
    struct words words;
    struct buf functions = BUF_INIT;
    struct buf b = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    struct err err = ERR_INIT;
    pack_functions(&functions);
    assert_int_equal(unpack(&u, functions.data, functions.len), 0);
    words_split(&words, line, "|");
    int r = call_pack(&b, function, words.argv, words.n, &u.root, &err);
    if (r == 0)
        check_json(&b, expected);
    else
        assert_string_equal(err.msg, expected);
    unpacked_done(&u);
    buf_done(&functions);
    buf_done(&b);
}

static void test_call(void **state)
{
    (void)state;
    check_call("f", "", "[]");
    check_call("f", "2.5|a|x=y", "[\"2.5\",\"a\",\"x=y\"]");
    check_call("g", "delay=1", "[\"delay=1\"]");
    check_call("f", "delay=1=2", "{\"delay\":\"1=2\"}");
    check_call("f", "1|a|rest=b|c=d", "{\"delay\":\"1\",\"rest\":[\"a\",\"b\",\"c=d\"]}");
    check_call("f", "1|delay=2", "f got its argument delay twice");
    struct words words;
    assert_true(call_needs_functions(words_split(&words, "a|b=c", "|")->argv, 2));
    assert_false(call_needs_functions(words_split(&words, "a|b", "|")->argv, 2));
}

static int check_spec(const struct spec_options *o, const char *line, char *sentence)
{
    struct words words;
    struct err err = ERR_INIT;
    words_split(&words, line, "|");
    int r = spec_check(o, words.argv, words.n, &err);
    strcpy(sentence, err.msg);
    return r;
}

static void test_spec_check(void **state)
{
    (void)state;
    char sentence[ERR_MSG_MAX];
    struct spec_options o = {0};
    assert_int_equal(check_spec(&o, "ls|-l", sentence), 0);
    assert_int_equal(check_spec(&o, "", sentence), -EINVAL);
    assert_string_equal(sentence, "which command?");
    assert_int_equal(check_spec(&o, "ls -l", sentence), -EINVAL);
    assert_string_equal(
        sentence, "there is no program \"ls -l\": for a shell line put -c in front of it");
    assert_int_equal(check_spec(&(struct spec_options){.line = "ls -l"}, "", sentence), 0);
    assert_int_equal(check_spec(&(struct spec_options){.line = "ls"}, "x", sentence), -EINVAL);
    assert_int_equal(
        check_spec(&(struct spec_options){.line = "ls", .call = "f"}, "", sentence), -EINVAL);
    assert_int_equal(check_spec(&(struct spec_options){.call = "f", .cwd = "/"}, "", sentence),
                     -EINVAL);
    assert_int_equal(check_spec(&(struct spec_options){.at = "never"}, "ls", sentence),
                     -EINVAL);
    assert_string_equal(sentence,
                        "--at: \"never\" is no time, such as 02:00 or 2025-12-24 18:00");
}

/* A program whose name has a blank is no mistake. */
static void test_spec_blank_in_program(void **state)
{
    (void)state;
    char dir[] = "/tmp/aioctl-test-XXXXXX";
    char file[64];
    char sentence[ERR_MSG_MAX];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/my program", dir);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    (void)fclose(f);
    assert_int_equal(chmod(file, 0755), 0);
    assert_int_equal(check_spec(&(struct spec_options){0}, file, sentence), 0);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_spec_pack(void **state)
{
    (void)state;
    struct spec_options o = {
        .name = "n",
        .group = "g",
        .line = "a | b",
        .in = {true, 2500 * NSEC_PER_MSEC},
        .clean_env = true,
        .stdin_file = "/dev/zero",
        .cwd = "/",
    };
    const char *items[] = {"X=1"};
    o.env = (struct option_texts){items, 1};
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(clearenv(), 0);
    mode_t mask = umask(027);
    assert_int_equal(spec_pack(&b, &o, NULL, 0, true, NULL, &err), 0);
    (void)umask(mask);
    check_json(
        &b, "{\"function\":\"exec\",\"name\":\"n\",\"group\":\"g\",\"in\":2.5,\"args\":{"
            "\"argv\":[\"sh\",\"-c\",\"a | b\"],\"line\":true,\"cwd\":\"/\",\"env\":[\"X=1\"],"
            "\"umask\":23,\"stdin\":\"/dev/zero\",\"split\":true}}");
}

static void test_ids(void **state)
{
    (void)state;
    assert_true(ids_single("7"));
    assert_true(ids_single("last"));
    assert_true(ids_single("my-task"));
    assert_false(ids_single("3-9"));
    assert_false(ids_single("all"));
}

static void check_outcome(const char *function, const char *outcome, const char *key,
                          int number, int exit, int own)
{
    struct buf b = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    pack_map(&b, 3);
    pack_text(&b, "function");
    pack_text(&b, function);
    pack_text(&b, "outcome");
    pack_text(&b, outcome);
    pack_text(&b, "error");
    pack_map(&b, 1);
    pack_text(&b, key);
    pack_int(&b, number);
    assert_int_equal(unpack(&u, b.data, b.len), 0);
    assert_int_equal(outcome_exit(&u.root), exit);
    assert_int_equal(outcome_own_exit(&u.root), own);
    unpacked_done(&u);
    buf_done(&b);
}

static void test_exit_statuses(void **state)
{
    (void)state;
    check_outcome("exec", "ok", "-", 0, 0, 0);
    check_outcome("exec", "failed", "exit", 3, 1, 3);
    check_outcome("exec", "failed", "exit", 127, 1, 127);
    check_outcome("exec", "failed", "signal", 9, 1, 137);
    check_outcome("exec", "failed", "-", 0, 1, 1);
    check_outcome("exec", "cancelled", "-", 0, 1, 143);
    check_outcome("exec", "cancelled", "signal", 9, 1, 137);
    check_outcome("sleep", "cancelled", "-", 0, 1, 1);
    check_outcome("sleep", "failed", "-", 0, 1, 1);
}

static void test_color(void **state)
{
    (void)state;
    assert_true(context_color(NULL, true, NULL, "xterm"));
    assert_true(context_color("auto", true, "", "xterm"));
    assert_false(context_color(NULL, false, NULL, "xterm"));
    assert_false(context_color(NULL, true, "1", "xterm"));
    assert_false(context_color(NULL, true, NULL, "dumb"));
    assert_false(context_color(NULL, true, NULL, NULL));
    assert_true(context_color("always", false, "1", NULL));
    assert_false(context_color("never", true, NULL, "xterm"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environ_filter),
        cmocka_unit_test(test_environ_pack),
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_spec_check),
        cmocka_unit_test(test_spec_blank_in_program),
        cmocka_unit_test(test_spec_pack),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_exit_statuses),
        cmocka_unit_test(test_color),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
