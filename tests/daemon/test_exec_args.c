/* SPDX-License-Identifier: MIT */
/*
 * The arguments of exec: what is refused and how it is said, what is stored, the title, and the
 * way of what was stored to the spawner.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/functions/exec_args.h"
#include "daemon/functions/register.h"
#include "daemon/spawner/spec_read.h"
#include "proto/pack.h"
#include "tests/daemon/notation.h"

#define ELLIPSIS "\xe2\x80\xa6"

static int check(const char *args, struct function_call *call, struct err *err)
{
    struct notation n;
    int r = function_bind(&exec_function, notation_read(&n, args), call, err);
    notation_done(&n);
    return r;
}

static void assert_accepted(const char *args, struct function_call *call)
{
    struct err err = ERR_INIT;
    *call = (struct function_call){0};
    int r = check(args, call, &err);
    assert_string_equal(err.msg, "");
    assert_int_equal(r, 0);
    assert_non_null(call->args);
    assert_non_null(call->env);
}

static void assert_refused_as(const char *args, int code, const char *sentence)
{
    struct function_call call = {0};
    struct err err = ERR_INIT;
    assert_int_equal(check(args, &call, &err), code);
    assert_int_equal(err.code, code);
    assert_string_equal(err.msg, sentence);
    assert_null(call.args);
    assert_null(call.env);
}

static void assert_refused(const char *args, const char *sentence)
{
    assert_refused_as(args, -EINVAL, sentence);
}

/* ---- what is refused ---- */

static void test_argv_refused(void **state)
{
    (void)state;
    assert_refused("{}", "\"argv\" is missing");
    assert_refused("{'argv': null}", "\"argv\" is missing");
    assert_refused("[]", "\"argv\" is missing");
    assert_refused("{'argv': []}", "\"argv\" must name a command");
    assert_refused("{'argv': ['']}", "\"argv\" must name a command");
    assert_refused("{'argv': ['', 'x']}", "\"argv\" must name a command");
    assert_refused("{'argv': 'ls'}", "\"argv\" must be an array, not a text");
    assert_refused("{'argv': ['ls', 3]}", "\"argv\"[1] must be a text, not an integer");
    assert_refused("['ls', 3]", "\"argv\"[1] must be a text, not an integer");
    assert_refused("{'argv': ['ls'], 'line': true}",
                   "\"line\" goes with an argv of sh, -c, LINE");
    assert_refused("{'argv': ['sh', '-c', 'a', 'b'], 'line': true}",
                   "\"line\" goes with an argv of sh, -c, LINE");
}

static void test_env_refused(void **state)
{
    (void)state;
    assert_refused("{'argv': ['ls'], 'env': ['A']}",
                   "\"env\"[0] is not of the form NAME=VALUE");
    assert_refused("{'argv': ['ls'], 'env': ['A=', '']}",
                   "\"env\"[1] is not of the form NAME=VALUE");
    assert_refused("{'argv': ['ls'], 'env': ['=x']}",
                   "\"env\"[0] is not of the form NAME=VALUE");
    assert_refused("{'argv': ['ls'], 'env': {}}", "\"env\" must be an array, not a map");
    assert_refused("{'argv': ['ls'], 'env': [true]}",
                   "\"env\"[0] must be a text, not a boolean");
}

static void test_rest_refused(void **state)
{
    (void)state;
    assert_refused("{'argv': ['ls'], 'cwd': ''}", "\"cwd\" must be an absolute path");
    assert_refused("{'argv': ['ls'], 'cwd': 'src'}", "\"cwd\" must be an absolute path");
    assert_refused("{'argv': ['ls'], 'stdin': ''}", "\"stdin\" must be an absolute path");
    assert_refused("{'argv': ['ls'], 'stdin': './x'}", "\"stdin\" must be an absolute path");
    assert_refused("{'argv': ['ls'], 'umask': 512}", "\"umask\" must be at most 511");
    assert_refused("{'argv': ['ls'], 'umask': -1}", "\"umask\" must not be negative");
    assert_refused("{'argv': ['ls'], 'umask': '077x'}", "\"umask\" must be a number");
    assert_refused("{'argv': ['ls'], 'split': 1}",
                   "\"split\" must be a boolean, not an integer");
    assert_refused("{'argv': ['ls'], 'split': 'maybe'}", "\"split\" must be true or false");
}

static void test_unknown_refused(void **state)
{
    struct function_call call = {0};
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(check("{'argv': ['ls'], 'nice': 3}", &call, &err), -EINVAL);
    assert_non_null(strstr(err.msg, "\"nice\""));
    assert_non_null(strstr(err.msg, "argv, cwd, env, umask, stdin, split, line"));
    assert_int_equal(check("{'argv': ['ls'], 'argv': ['rm']}", &call, &err), -EINVAL);
    assert_non_null(strstr(err.msg, "\"argv\""));
    assert_null(call.args);
}

/* n bytes of x, behind a prefix and between quotes, as notation. */
static char *with_long(const char *before, size_t n, const char *behind)
{
    struct buf b = BUF_INIT;
    buf_puts(&b, before);
    for (size_t i = 0; i < n; i++)
        buf_puts(&b, "x");
    buf_puts(&b, behind);
    assert_non_null(buf_cstr(&b));
    return (char *)b.data;
}

static void assert_long(const char *before, size_t n, const char *behind, int code,
                        const char *sentence)
{
    char *args = with_long(before, n, behind);
    struct function_call call;
    if (sentence) {
        assert_refused_as(args, code, sentence);
    } else {
        assert_accepted(args, &call);
        function_call_done(&call);
    }
    free(args);
}

static void test_limits(void **state)
{
    static const char path[] = "{'argv': ['ls'], 'cwd': '/";
    (void)state;
    assert_long("['ls', '", LIMIT_ARG_BYTES, "']", 0, NULL);
    assert_long("['ls', '", LIMIT_ARG_BYTES + 1, "']", -EMSGSIZE,
                "\"argv\"[1] is over the limit of 131071 bytes");
    assert_long(path, 4095, "'}", 0, NULL);
    assert_long(path, 4096, "'}", -EINVAL, "\"cwd\" has more than 4096 bytes");
}

/* execve(2) refuses a string of the environment of 128 KiB as it does an argument. */
static void test_env_string_limit(void **state)
{
    (void)state;
    assert_long("{'argv': ['ls'], 'env': ['A=", LIMIT_ARG_BYTES - 2, "']}", 0, NULL);
    assert_long("{'argv': ['ls'], 'env': ['A=", LIMIT_ARG_BYTES - 1, "']}", -EMSGSIZE,
                "\"env\"[0] is over the limit of 131071 bytes");
}

/* Many texts of 1000 bytes: with its NUL each counts 1001. */
static char *many_texts(const char *before, const char *text_before, unsigned n)
{
    struct buf b = BUF_INIT;
    buf_puts(&b, before);
    for (unsigned i = 0; i < n; i++)
        buf_printf(&b, "%s'%s%0*u'", i ? ", " : "", text_before,
                   1000 - (int)strlen(text_before), i);
    buf_puts(&b, "]}");
    assert_non_null(buf_cstr(&b));
    return (char *)b.data;
}

static void test_totals(void **state)
{
    struct function_call call;
    (void)state;
    unsigned fits = LIMIT_ENV_BYTES / 1001;
    char *args = many_texts("{'argv': ['ls'], 'env': [", "A=", fits);
    assert_accepted(args, &call);
    function_call_done(&call);
    free(args);
    args = many_texts("{'argv': ['ls'], 'env': [", "A=", fits + 1);
    assert_refused_as(args, -EMSGSIZE, "\"env\" is over the limit of 262144 bytes");
    free(args);
    args = many_texts("{'argv': [", "x", LIMIT_ARGS_BYTES / 1003 - 1);
    assert_accepted(args, &call);
    function_call_done(&call);
    free(args);
    args = many_texts("{'argv': [", "x", LIMIT_ARGS_BYTES / 1003 + 1);
    assert_refused_as(args, -EMSGSIZE, "\"argv\" is over the limit of 786432 bytes");
    free(args);
}

/* ---- what is stored ---- */

static void test_defaults(void **state)
{
    struct function_call call;
    (void)state;
    assert_accepted("['ls', '-l', '']", &call);
    assert_value(call.args, "{'argv': ['ls', '-l', ''], 'cwd': '/', 'umask': 18}");
    assert_value(call.env, "['PATH=/usr/local/bin:/usr/bin:/bin', 'LANG=C.UTF-8']");
    assert_string_equal(call.title, "ls -l ");
    function_call_done(&call);
    /* nil is not there; false is the default */
    assert_accepted("{'argv': ['ls'], 'cwd': null, 'env': null, 'umask': null, 'stdin': null, "
                    "'split': false, 'line': null}",
                    &call);
    assert_value(call.args, "{'argv': ['ls'], 'cwd': '/', 'umask': 18}");
    assert_value(call.env, "['PATH=/usr/local/bin:/usr/bin:/bin', 'LANG=C.UTF-8']");
    function_call_done(&call);
}

static void test_everything(void **state)
{
    struct function_call call;
    (void)state;
    assert_accepted("{'line': true, 'split': 'true', 'stdin': '/dev/zero', 'umask': '63', "
                    "'env': ['B=2', 'A='], 'cwd': '/srv', 'argv': ['sh', '-c', 'a | b']}",
                    &call);
    assert_value(call.args, "{'argv': ['sh', '-c', 'a | b'], 'cwd': '/srv', 'umask': 63, "
                            "'stdin': '/dev/zero', 'split': true, 'line': true}");
    assert_value(call.env, "['B=2', 'A=']"); /* apart, so that many tasks share it */
    assert_string_equal(call.title, "a | b");
    function_call_done(&call);
    assert_accepted("{'argv': ['ls'], 'env': []}", &call);
    assert_value(call.env, "[]");
    function_call_done(&call);
}

static void test_bytes(void **state)
{
    struct function_call call;
    (void)state;
    assert_accepted("{'argv': ['ls', '\xff'], 'cwd': '/\xff', 'env': ['A=\xff']}", &call);
    assert_value(call.args, "{'argv': ['ls', 'b:\xff'], 'cwd': 'b:/\xff', 'umask': 18}");
    assert_value(call.env, "['b:A=\xff']");
    function_call_done(&call);
}

/* ---- the title ---- */

static void assert_title(const char *args, const char *title)
{
    struct function_call call;
    assert_accepted(args, &call);
    assert_string_equal(call.title, title);
    assert_true(strlen(call.title) <= LIMIT_TITLE_BYTES);
    function_call_done(&call);
}

#define TEN   "0123456789"
#define FORTY TEN TEN TEN TEN

static void test_title(void **state)
{
    (void)state;
    assert_title("['ls']", "ls");
    assert_title("['" FORTY "', '" FORTY "']", FORTY " " TEN TEN TEN "012345" ELLIPSIS);
    assert_title("['" FORTY FORTY "']", FORTY FORTY);
    assert_title("['" FORTY FORTY "x']", FORTY TEN TEN TEN "0123456" ELLIPSIS);
    /* 79 and 80 bytes, then a blank and more */
    assert_title("['" FORTY TEN TEN TEN "012345678', '']", FORTY TEN TEN TEN "012345678 ");
    assert_title("['" FORTY TEN TEN TEN "012345678', 'x']",
                 FORTY TEN TEN TEN "0123456" ELLIPSIS);
    assert_title("['" FORTY FORTY "', '']", FORTY TEN TEN TEN "0123456" ELLIPSIS);
}

/* Three bytes are left behind the cut: no character is cut in two, wherever the border is. */
static void test_title_is_cut_between_characters(void **state)
{
    static const char *const chars[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x99"};
    (void)state;
    for (size_t c = 0; c < 3; c++) {
        size_t width = strlen(chars[c]);
        for (size_t shift = 0; shift < 4; shift++) {
            struct buf args = BUF_INIT, title = BUF_INIT;
            struct function_call call;
            buf_puts(&args, "['");
            for (size_t i = 0; i < shift; i++)
                buf_puts(&args, "x");
            for (size_t i = 0; i < 50; i++)
                buf_puts(&args, chars[c]);
            buf_puts(&args, "']");
            for (size_t i = 0; i < shift; i++)
                buf_puts(&title, "x");
            while (title.len + width <= LIMIT_TITLE_BYTES - 3)
                buf_puts(&title, chars[c]);
            buf_puts(&title, ELLIPSIS);
            assert_accepted(buf_cstr(&args), &call);
            assert_string_equal(call.title, buf_cstr(&title));
            assert_true(text_is_utf8(call.title, strlen(call.title)));
            function_call_done(&call);
            buf_done(&args);
            buf_done(&title);
        }
    }
}

/* ---- to the spawner ---- */

struct handed {
    struct function_call call;
    struct unpacked args;
    struct exec_args a;
    struct spec_view view;
};

static void hand_over(struct handed *h, const char *args, const struct value *creds)
{
    *h = (struct handed){.args = UNPACKED_INIT};
    assert_accepted(args, &h->call);
    assert_int_equal(unpack(&h->args, h->call.args->bytes, h->call.args->len), 0);
    assert_int_equal(exec_args_read(&h->args, &h->a), 0);
    int fd = exec_args_to_memfd(&h->a, h->call.env, creds);
    assert_true(fd >= 0);
    assert_int_equal(spec_view_open(&h->view, fd), 0);
    close(fd);
}

static void handed_done(struct handed *h)
{
    spec_view_done(&h->view);
    unpacked_done(&h->args);
    function_call_done(&h->call);
}

static void test_round_trip(void **state)
{
    static const uint32_t groups[] = {4, 24, 4294967294u};
    struct value *creds = value_new(groups, sizeof(groups));
    struct handed h;
    (void)state;
    hand_over(&h,
              "{'argv': ['sh', '-c', 'a \xff b'], 'cwd': '/srv', 'env': ['B=2', 'A='], "
              "'stdin': '/in', 'umask': 63, 'split': true, 'line': true}",
              creds);
    assert_true(h.a.split);
    assert_true(h.a.line);
    assert_true(bytes_equal(exec_args_command(&h.a), "sh"));
    assert_string_equal(h.view.argv[0], "sh");
    assert_string_equal(h.view.argv[1], "-c");
    assert_string_equal(h.view.argv[2], "a \xff b");
    assert_null(h.view.argv[3]);
    assert_int_equal(h.view.envc, 2);
    assert_string_equal(h.view.env[0], "B=2");
    assert_string_equal(h.view.env[1], "A=");
    assert_string_equal(h.view.cwd, "/srv");
    assert_string_equal(h.view.input, "/in");
    assert_int_equal(h.view.umask, 63);
    assert_int_equal(h.view.ngroups, 3);
    assert_memory_equal(h.view.groups, groups, sizeof(groups));
    handed_done(&h);
    value_unref(creds);
}

static void test_round_trip_of_defaults(void **state)
{
    struct handed h;
    (void)state;
    hand_over(&h, "['ls', '']", NULL);
    assert_false(h.a.split);
    assert_string_equal(h.view.argv[1], "");
    assert_null(h.view.argv[2]);
    assert_string_equal(h.view.env[0], "PATH=/usr/local/bin:/usr/bin:/bin");
    assert_string_equal(h.view.env[1], "LANG=C.UTF-8");
    assert_int_equal(h.view.envc, 2);
    assert_string_equal(h.view.cwd, "/");
    assert_string_equal(h.view.input, "");
    assert_int_equal(h.view.umask, 022);
    assert_int_equal(h.view.ngroups, 0);
    handed_done(&h);
}

static void test_no_environment(void **state)
{
    struct handed h;
    (void)state;
    hand_over(&h, "['ls']", NULL);
    int fd = exec_args_to_memfd(&h.a, NULL, NULL);
    struct spec_view view;
    assert_true(fd >= 0);
    assert_int_equal(spec_view_open(&view, fd), 0);
    close(fd);
    assert_int_equal(view.envc, 0);
    spec_view_done(&view);
    handed_done(&h);
}

/* What is on disk and is not what check stored: refused, not trusted. */
static void test_read_refuses(void **state)
{
    static const char *const wrong[] = {"{}", "{'argv': 3}", "[]", "{'argv': ['ls'], 'x': 1}"};
    struct exec_args a;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct notation n;
        notation_read(&n, wrong[i]);
        assert_int_equal(exec_args_read(&n.unpacked, &a), -EBADMSG);
        notation_done(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_argv_refused),
        cmocka_unit_test(test_env_refused),
        cmocka_unit_test(test_rest_refused),
        cmocka_unit_test(test_unknown_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_env_string_limit),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_title),
        cmocka_unit_test(test_title_is_cut_between_characters),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_round_trip_of_defaults),
        cmocka_unit_test(test_no_environment),
        cmocka_unit_test(test_read_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
