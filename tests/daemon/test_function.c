/* SPDX-License-Identifier: MIT */
/*
 * Binding what a client sent to declared parameters: by position, by name, each type, each
 * refusal with its sentence; the registry; and sleep, whose arguments are the simplest.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/functions/register.h"
#include "daemon/tasks/function.h"
#include "proto/pack.h"
#include "tests/daemon/notation.h"

/* ---- a function of every type, whose check accepts everything ---- */

static int keep_check(const msgpack_object *args, struct function_call *ret, struct err *err)
{
    struct buf b = BUF_INIT;
    msgpack_sbuffer bytes;
    msgpack_packer packer;
    (void)err;
    msgpack_sbuffer_init(&bytes);
    msgpack_packer_init(&packer, &bytes, msgpack_sbuffer_write);
    msgpack_pack_object(&packer, *args);
    buf_append(&b, bytes.data, bytes.size);
    msgpack_sbuffer_destroy(&bytes);
    ret->args = pack_take(&b);
    return 0;
}

static const struct param keep_params[] = {
    {"text", PARAM_TEXT, true, false, ""},   {"duration", PARAM_DURATION, false, false, ""},
    {"uint", PARAM_UINT, false, false, ""},  {"bool", PARAM_BOOL, false, false, ""},
    {"texts", PARAM_TEXTS, false, true, ""},
};
static const struct function keep = {
    .name = "keep", .params = keep_params, .nparams = 5, .check = keep_check};
static const struct function two = {
    .name = "two", .params = keep_params, .nparams = 2, .check = keep_check};

static void assert_bound(const struct function *fn, const char *args, const char *expected)
{
    struct notation n;
    struct function_call call = {0};
    struct err err = ERR_INIT;
    int r = function_bind(fn, notation_read(&n, args), &call, &err);
    assert_string_equal(err.msg, "");
    assert_int_equal(r, 0);
    assert_value(call.args, expected);
    function_call_done(&call);
    notation_done(&n);
}

static void assert_refused(const struct function *fn, const char *args, const char *sentence)
{
    struct notation n;
    struct function_call call = {0};
    struct err err = ERR_INIT;
    assert_int_equal(function_bind(fn, notation_read(&n, args), &call, &err), -EINVAL);
    assert_int_equal(err.code, -EINVAL);
    assert_string_equal(err.msg, sentence);
    assert_null(call.args);
    assert_null(call.env);
    notation_done(&n);
}

/* ---- by position ---- */

static void test_positional(void **state)
{
    (void)state;
    assert_bound(&keep, "[]", "{}");
    assert_bound(&keep, "['a']", "{'text': 'a'}");
    assert_bound(&keep, "['a', '1m30s', '12', 'true']",
                 "{'text': 'a', 'duration': 90, 'uint': 12, 'bool': true}");
    /* what is no text stays as it is: check judges it */
    assert_bound(&keep, "[7, 1.5, 12, false]",
                 "{'text': 7, 'duration': 1.5, 'uint': 12, 'bool': false}");
    assert_bound(&keep, "[null, null, null, null]",
                 "{'text': null, 'duration': null, 'uint': null, 'bool': null}");
    assert_bound(&keep, "[{'a': [1, -2]}]", "{'text': {'a': [1, -2]}}");
}

static void test_positional_many(void **state)
{
    (void)state;
    assert_bound(&keep, "['a', '0', '0', '0', 'x']",
                 "{'text': 'a', 'duration': 0, 'uint': 0, 'bool': false, 'texts': ['x']}");
    assert_bound(&keep, "['a', '0', '0', '0', 'x', '', '10s', 3]",
                 "{'text': 'a', 'duration': 0, 'uint': 0, 'bool': false, "
                 "'texts': ['x', '', '10s', 3]}");
}

static void test_positional_too_many(void **state)
{
    (void)state;
    assert_bound(&two, "['a', '1']", "{'text': 'a', 'duration': 1}");
    assert_refused(&two, "['a', '1', '2']", "two takes at most 2 arguments, not 3");
    assert_refused(&two, "['a', '1', '2', '3']", "two takes at most 2 arguments, not 4");
}

/* ---- by name ---- */

static void test_by_name(void **state)
{
    (void)state;
    assert_bound(&keep, "{}", "{}");
    assert_bound(&keep, "{'bool': 'false', 'text': 'a', 'uint': '3', 'duration': '250ms'}",
                 "{'bool': false, 'text': 'a', 'uint': 3, 'duration': 0.25}");
    assert_bound(&keep, "{'texts': ['1', 2]}", "{'texts': ['1', 2]}");
    /* left for check: a name that is not known, a list that is none */
    assert_bound(&keep, "{'other': '10s', 'texts': '10s', 3: 4}",
                 "{'other': '10s', 'texts': '10s', 3: 4}");
}

static void test_neither(void **state)
{
    struct function_call call = {0};
    struct err err = ERR_INIT;
    (void)state;
    assert_refused(&keep, "'text'", "\"args\" must be a map or an array");
    assert_refused(&keep, "3", "\"args\" must be a map or an array");
    assert_int_equal(function_bind(&keep, NULL, &call, &err), 0);
    assert_value(call.args, "{}");
    function_call_done(&call);
}

/* ---- types ---- */

static void test_types(void **state)
{
    static const char wrong_duration[] =
        "\"duration\" must be a duration like 2.5, 10s or 1h30m";
    static const char wrong_uint[] = "\"uint\" must be a number";
    static const char wrong_bool[] = "\"bool\" must be true or false";
    (void)state;
    assert_bound(&keep, "{'duration': '2.5'}", "{'duration': 2.5}");
    assert_bound(&keep, "{'duration': '1h30m'}", "{'duration': 5400}");
    assert_refused(&keep, "{'duration': ''}", wrong_duration);
    assert_refused(&keep, "{'duration': '10 s'}", wrong_duration);
    assert_refused(&keep, "{'duration': '-1'}", wrong_duration);
    assert_refused(&keep, "{'duration': '200000d'}", wrong_duration);
    assert_refused(&keep, "['a', 'soon']", wrong_duration);

    assert_bound(&keep, "{'uint': '18446744073709551615'}", "{'uint': 9223372036854775807}");
    assert_refused(&keep, "{'uint': ''}", wrong_uint);
    assert_refused(&keep, "{'uint': '-1'}", wrong_uint);
    assert_refused(&keep, "{'uint': '1.0'}", wrong_uint);
    assert_refused(&keep, "{'uint': '18446744073709551616'}", wrong_uint);

    assert_bound(&keep, "{'bool': 'true'}", "{'bool': true}");
    assert_bound(&keep, "{'bool': '1'}", "{'bool': true}");
    assert_bound(&keep, "{'bool': '0'}", "{'bool': false}");
    assert_refused(&keep, "{'bool': ''}", wrong_bool);
    assert_refused(&keep, "{'bool': 'yes'}", wrong_bool);
    assert_refused(&keep, "{'bool': 'True'}", wrong_bool);
}

/* Texts that are no UTF-8 stay what they are: bytes. */
static void test_bytes(void **state)
{
    (void)state;
    assert_bound(&keep, "['\xff']", "{'text': 'b:\xff'}");
    assert_bound(&keep, "{'text': '\xff', 'texts': ['\xc3\xa4', '\xc3']}",
                 "{'text': 'b:\xff', 'texts': ['\xc3\xa4', 'b:\xc3']}");
}

/* A NUL does not hide what stands behind it. */
static void test_nul_inside(void **state)
{
    struct buf b = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    struct function_call call = {0};
    struct err err = ERR_INIT;
    (void)state;
    pack_map(&b, 1);
    pack_text(&b, "uint");
    pack_text_n(&b, "3\0x", 3);
    assert_int_equal(unpack(&u, b.data, b.len), 0);
    assert_int_equal(function_bind(&keep, &u.root, &call, &err), -EINVAL);
    assert_string_equal(err.msg, "\"uint\" must be a number");
    function_call_done(&call);
    unpacked_done(&u);
    buf_done(&b);
}

static void test_too_large(void **state)
{
    struct buf b = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    struct function_call call = {0};
    struct err err = ERR_INIT;
    size_t len = LIMIT_ARGS_BYTES + LIMIT_ENV_BYTES;
    char *text = malloc(len);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    pack_array(&b, 1);
    pack_text_n(&b, text, len);
    free(text);
    assert_int_equal(unpack(&u, b.data, b.len), 0);
    assert_int_equal(function_bind(&keep, &u.root, &call, &err), -EMSGSIZE);
    assert_string_equal(err.msg, "\"args\" is over the limit of 1048576 bytes");
    assert_null(call.args);
    unpacked_done(&u);
    buf_done(&b);
}

/* ---- the registry ---- */

static void test_registry(void **state)
{
    struct functions functions = {.len = 0};
    int ctx = 0;
    (void)state;
    assert_null(functions_find(&functions, (struct bytes){"keep", 4}));
    functions_register(&functions, &keep, &ctx);
    functions_register(&functions, &two, NULL);
    assert_ptr_equal(functions_find(&functions, (struct bytes){"keep", 4}), &keep);
    assert_ptr_equal(functions_find(&functions, (struct bytes){"two", 3}), &two);
    assert_null(functions_find(&functions, (struct bytes){"kee", 3}));
    assert_null(functions_find(&functions, (struct bytes){"keep ", 5}));
    assert_null(functions_find(&functions, (struct bytes){NULL, 0}));
    assert_ptr_equal(functions_ctx(&functions, &keep), &ctx);
    assert_null(functions_ctx(&functions, &two));
    assert_null(functions_ctx(&functions, &sleep_function));
}

static void test_core_functions(void **state)
{
    struct functions functions = {.len = 0};
    (void)state;
    register_functions(&functions, NULL);
    assert_ptr_equal(functions_find(&functions, (struct bytes){"exec", 4}), &exec_function);
    assert_ptr_equal(functions_find(&functions, (struct bytes){"sleep", 5}), &sleep_function);
    for (size_t i = 0; i < functions.len; i++) {
        const struct function *fn = functions.all[i];
        assert_non_null(fn->check);
        assert_non_null(fn->new);
        assert_non_null(fn->attach);
        assert_true(fn->summary && fn->summary[0]);
        for (size_t k = 0; k < fn->nparams; k++)
            assert_true(fn->params[k].summary && fn->params[k].summary[0]);
    }
}

/* ---- sleep ---- */

static void assert_sleeps(const char *args, const char *expected, const char *title)
{
    struct notation n;
    struct function_call call = {0};
    struct err err = ERR_INIT;
    int r = function_bind(&sleep_function, notation_read(&n, args), &call, &err);
    assert_string_equal(err.msg, "");
    assert_int_equal(r, 0);
    assert_value(call.args, expected);
    assert_null(call.env);
    assert_string_equal(call.title, title);
    function_call_done(&call);
    notation_done(&n);
}

static void test_sleep(void **state)
{
    (void)state;
    assert_sleeps("['1h30m']", "{'seconds': 5400}", "sleep 5400");
    assert_sleeps("[2]", "{'seconds': 2}", "sleep 2");
    assert_sleeps("[0.25]", "{'seconds': 0.25}", "sleep 0.25");
    assert_sleeps("{'seconds': '0'}", "{'seconds': 0}", "sleep 0");
    assert_sleeps("[3162240000]", "{'seconds': 3162240000}", "sleep 3.16224e+09");
}

static void test_sleep_refuses(void **state)
{
    (void)state;
    assert_refused(&sleep_function, "[]", "\"seconds\" is missing");
    assert_refused(&sleep_function, "[null]", "\"seconds\" is missing");
    assert_refused(&sleep_function, "[-0.5]", "\"seconds\" must not be negative");
    assert_refused(&sleep_function, "['soon']",
                   "\"seconds\" must be a duration like 2.5, 10s or 1h30m");
    assert_refused(&sleep_function, "[[1]]", "\"seconds\" must be a number, not an array");
    assert_refused(&sleep_function, "[true]", "\"seconds\" must be a number, not a boolean");
    assert_refused(&sleep_function, "[3162240001]", "\"seconds\" must be at most 3162240000");
    assert_refused(&sleep_function, "[1, 2]", "sleep takes at most 1 arguments, not 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positional),
        cmocka_unit_test(test_positional_many),
        cmocka_unit_test(test_positional_too_many),
        cmocka_unit_test(test_by_name),
        cmocka_unit_test(test_neither),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_nul_inside),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_core_functions),
        cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_sleep_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
