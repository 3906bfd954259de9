/* SPDX-License-Identifier: MIT */
/*
 * test_fields - a table with one field of each type; every way in which a parameter can be
 * wrong, with its whole sentence.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "proto/pack.h"
#include "proto/unpack.h"

struct params {
    bool kill;
    uint64_t id;
    int64_t nice;
    double timeout;
    struct bytes name;
    const msgpack_object *any;
    const msgpack_object *list;
    const msgpack_object *argv;
    const msgpack_object *ids;
    const msgpack_object *args;
};

#define PARAM(member) offsetof(struct params, member)
static const struct field table[] = {
    {"id", FIELD_UINT, true, PARAM(id), 1000},
    {"kill", FIELD_BOOL, false, PARAM(kill), 0},
    {"nice", FIELD_INT, false, PARAM(nice), 19},
    {"timeout", FIELD_NUMBER, false, PARAM(timeout), 3600},
    {"name", FIELD_TEXT, false, PARAM(name), 8},
    {"any", FIELD_OBJECT, false, PARAM(any), 0},
    {"list", FIELD_ARRAY, false, PARAM(list), 2},
    {"argv", FIELD_TEXTS, false, PARAM(argv), 5},
    {"ids", FIELD_IDS, false, PARAM(ids), 3},
    {"args", FIELD_MAP, false, PARAM(args), 1},
};

/* What a test holds: a map being written, then read. */
struct fixture {
    struct buf bytes;
    struct pack_map_place map;
    struct unpacked u;
    struct params params;
    struct err err;
};

static int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    return f ? 0 : -1;
}

static int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    unpacked_done(&f->u);
    buf_done(&f->bytes);
    free(f);
    return 0;
}

static struct buf *begin(struct fixture *f)
{
    unpacked_done(&f->u);
    buf_clear(&f->bytes);
    f->map = pack_map_begin(&f->bytes);
    return &f->bytes;
}

static struct buf *key(struct fixture *f, const char *name)
{
    pack_key(&f->bytes, &f->map, name);
    return &f->bytes;
}

static int finish(struct fixture *f)
{
    pack_map_end(&f->bytes, &f->map);
    assert_int_equal(unpack(&f->u, f->bytes.data, f->bytes.len), 0);
    f->params = (struct params){.nice = -100, .timeout = -1};
    f->err = (struct err)ERR_INIT;
    return fields_read(table, ARRAY_SIZE(table), &f->u.root, &f->params, &f->err);
}

static void expect_error(struct fixture *f, const char *sentence)
{
    assert_int_equal(finish(f), -EINVAL);
    assert_int_equal(f->err.code, -EINVAL);
    assert_string_equal(f->err.msg, sentence);
    begin(f);
}

static void reads_every_type(void **state)
{
    struct fixture *f = *state;
    begin(f);
    pack_uint(key(f, "id"), 1000);
    pack_bool(key(f, "kill"), true);
    pack_int(key(f, "nice"), -20);
    pack_double(key(f, "timeout"), 2.5);
    pack_text(key(f, "name"), "nightly8");
    pack_nil(key(f, "any"));
    pack_array(key(f, "list"), 0);
    pack_array(key(f, "argv"), 3);
    pack_text(&f->bytes, "echo");
    pack_bin(&f->bytes, "\xff", 1);
    pack_text(&f->bytes, "");
    pack_array(key(f, "ids"), 2);
    pack_uint(&f->bytes, 1);
    pack_uint(&f->bytes, UINT64_MAX);
    pack_map(key(f, "args"), 1);
    pack_nil(&f->bytes);
    pack_nil(&f->bytes);
    assert_int_equal(finish(f), 0);
    assert_int_equal(f->params.id, 1000);
    assert_true(f->params.kill);
    assert_int_equal(f->params.nice, -20);
    assert_true(f->params.timeout == 2.5);
    assert_true(bytes_equal(f->params.name, "nightly8"));
    assert_null(f->params.any); /* nil counts as not there */
    assert_int_equal(f->params.list->via.array.size, 0);
    assert_int_equal(f->params.argv->via.array.size, 3);
    assert_int_equal(f->params.ids->via.array.size, 2);
    assert_int_equal(f->params.args->via.map.size, 1);
}

static void leaves_defaults(void **state)
{
    struct fixture *f = *state;
    begin(f);
    pack_uint(key(f, "id"), 0);
    pack_nil(key(f, "nice"));
    assert_int_equal(finish(f), 0);
    assert_int_equal(f->params.nice, -100);
    assert_true(f->params.timeout == -1);
    assert_null(f->params.name.data);
    assert_null(f->params.argv);
}

static void tells_empty_texts_from_missing_ones(void **state)
{
    struct fixture *f = *state;
    begin(f);
    pack_uint(key(f, "id"), 1);
    pack_text(key(f, "name"), "");
    assert_int_equal(finish(f), 0);
    assert_non_null(f->params.name.data);
    assert_int_equal(f->params.name.len, 0);
    begin(f);
    pack_uint(key(f, "id"), 1);
    pack_bin(key(f, "name"), "", 0);
    assert_int_equal(finish(f), 0);
    assert_non_null(f->params.name.data);
}

static void reads_numbers_of_each_kind(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t bytes[9];
        size_t len;
        double value;
    } cases[] = {
        {{0x07}, 1, 7},
        {{0xff}, 1, -1},
        {{0xca, 0x3f, 0x80, 0, 0}, 5, 1},
        {{0xcb, 0xc0, 0x04, 0, 0, 0, 0, 0, 0}, 9, -2.5},
        {{0xd0, 0x05}, 2, 5},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(f);
        pack_uint(key(f, "id"), 1);
        buf_append(key(f, "timeout"), cases[i].bytes, cases[i].len);
        assert_int_equal(finish(f), 0);
        assert_true(f->params.timeout == cases[i].value);
    }
}

static void names_may_be_bin(void **state)
{
    struct fixture *f = *state;
    static const uint8_t map[] = {0x81, 0xc4, 2, 'i', 'd', 5};
    assert_int_equal(unpack(&f->u, map, sizeof(map)), 0);
    assert_int_equal(fields_read(table, ARRAY_SIZE(table), &f->u.root, &f->params, &f->err), 0);
    assert_int_equal(f->params.id, 5);
}

static void refuses_wrong_types(void **state)
{
    struct fixture *f = *state;
    begin(f);
    pack_text(key(f, "id"), "7");
    expect_error(f, "\"id\" must be an integer, not a text");
    pack_double(key(f, "id"), 7);
    expect_error(f, "\"id\" must be an integer, not a float");
    pack_int(key(f, "kill"), 1);
    expect_error(f, "\"kill\" must be a boolean, not an integer");
    pack_bool(key(f, "nice"), true);
    expect_error(f, "\"nice\" must be an integer, not a boolean");
    pack_text(key(f, "timeout"), "1");
    expect_error(f, "\"timeout\" must be a number, not a text");
    pack_int(key(f, "name"), -5);
    expect_error(f, "\"name\" must be a text, not an integer");
    pack_map(key(f, "list"), 0);
    expect_error(f, "\"list\" must be an array, not a map");
    pack_text(key(f, "argv"), "ls");
    expect_error(f, "\"argv\" must be an array, not a text");
    pack_double(key(f, "ids"), NAN);
    expect_error(f, "\"ids\" must be an array, not a float");
    pack_array(key(f, "args"), 0);
    expect_error(f, "\"args\" must be a map, not an array");
}

static void refuses_what_is_out_of_range(void **state)
{
    struct fixture *f = *state;
    begin(f);
    pack_int(key(f, "id"), -1);
    expect_error(f, "\"id\" must not be negative");
    pack_uint(key(f, "id"), 1001);
    expect_error(f, "\"id\" must be at most 1000");
    pack_int(key(f, "nice"), 20);
    expect_error(f, "\"nice\" must be at most 19");
    pack_double(key(f, "timeout"), 3600.5);
    expect_error(f, "\"timeout\" must be at most 3600");
    pack_double(key(f, "timeout"), NAN);
    expect_error(f, "\"timeout\" must be a finite number");
    pack_double(key(f, "timeout"), -INFINITY);
    expect_error(f, "\"timeout\" must be a finite number");
    pack_text(key(f, "name"), "nightly89");
    expect_error(f, "\"name\" has more than 8 bytes");
    pack_array(key(f, "list"), 3);
    for (int i = 0; i < 3; i++)
        pack_nil(&f->bytes);
    expect_error(f, "\"list\" has more than 2 elements");
    pack_map(key(f, "args"), 2);
    for (int i = 0; i < 4; i++)
        pack_nil(&f->bytes);
    expect_error(f, "\"args\" has more than 1 pairs");
}

static void bounds_without_a_maximum(void **state)
{
    struct fixture *f = *state;
    static const struct field plain[] = {{"id", FIELD_UINT, false, PARAM(id), 0},
                                         {"nice", FIELD_INT, false, PARAM(nice), 0}};
    static const uint8_t large[] = {0x82, 0xa2, 'i',  'd',  0xcf, 0xff, 0xff, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xa4, 'n',  'i',  'c',  'e',
                                    0xcf, 0x80, 0,    0,    0,    0,    0,    0,    0};
    assert_int_equal(unpack(&f->u, large, sizeof(large)), 0);
    assert_int_equal(fields_read(plain, 2, &f->u.root, &f->params, &f->err), -EINVAL);
    assert_string_equal(f->err.msg, "\"nice\" must be at most 9223372036854775807");
    assert_true(f->params.id == UINT64_MAX);
}

static void refuses_elements(void **state)
{
    struct fixture *f = *state;
    begin(f);
    pack_text_n(key(f, "name"), "a\0b", 3);
    expect_error(f, "\"name\" has a NUL byte");
    pack_array(key(f, "argv"), 4);
    for (int i = 0; i < 3; i++)
        pack_text(&f->bytes, "a");
    pack_text_n(&f->bytes, "a\0", 2);
    expect_error(f, "\"argv\"[3] has a NUL byte");
    pack_array(key(f, "argv"), 2);
    pack_text(&f->bytes, "a");
    pack_int(&f->bytes, 1);
    expect_error(f, "\"argv\"[1] must be a text, not an integer");
    pack_array(key(f, "ids"), 2);
    pack_int(&f->bytes, 1);
    pack_int(&f->bytes, 0);
    expect_error(f, "\"ids\"[1] must be at least 1");
    pack_array(key(f, "ids"), 1);
    pack_int(&f->bytes, -7);
    expect_error(f, "\"ids\"[0] must be at least 1");
    pack_array(key(f, "ids"), 1);
    pack_nil(&f->bytes);
    expect_error(f, "\"ids\"[0] must be an integer, not nil");
}

static void refuses_names(void **state)
{
    struct fixture *f = *state;
#define KNOWN "(known: id, kill, nice, timeout, name, any, list, argv, ids, args)"
    begin(f);
    pack_uint(key(f, "foo"), 7);
    expect_error(f, "unknown field \"foo\" " KNOWN);
    pack_nil(key(f, "Id"));
    expect_error(f, "unknown field \"Id\" " KNOWN);
    pack_nil(key(f, "a\x1b[1m\"\\\n\xc2\x9b\xc3\xa9"));
    expect_error(f, "unknown field \"a\\x1b[1m\\x22\\x5c\\x0a\\xc2\\x9b\xc3\xa9\" " KNOWN);
    pack_int(&f->bytes, 3); /* a name that is no text */
    f->map.n++;
    pack_nil(&f->bytes);
    expect_error(f, "the name of a field must be a text, not an integer");
    pack_uint(key(f, "id"), 7);
    pack_uint(key(f, "id"), 7);
    expect_error(f, "\"id\" is there twice");
    pack_nil(key(f, "id"));
    pack_uint(key(f, "id"), 7);
    expect_error(f, "\"id\" is there twice");
#undef KNOWN
}

static void misses_required_ones(void **state)
{
    struct fixture *f = *state;
    begin(f);
    expect_error(f, "\"id\" is missing");
    pack_nil(key(f, "id"));
    expect_error(f, "\"id\" is missing");
    assert_int_equal(fields_read(table, ARRAY_SIZE(table), NULL, &f->params, &f->err), -EINVAL);
    assert_string_equal(f->err.msg, "\"id\" is missing");
    assert_int_equal(fields_read(table, ARRAY_SIZE(table), NULL, &f->params, NULL), -EINVAL);
}

static void reads_no_fields_at_all(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fields_read(NULL, 0, NULL, NULL, &f->err), 0);
    begin(f);
    pack_nil(key(f, "x"));
    pack_map_end(&f->bytes, &f->map);
    assert_int_equal(unpack(&f->u, f->bytes.data, f->bytes.len), 0);
    assert_int_equal(fields_read(NULL, 0, &f->u.root, NULL, &f->err), -EINVAL);
    assert_string_equal(f->err.msg, "unknown field \"x\" (known: none)");
    const msgpack_object *not_map = &f->u.root.via.map.ptr[0].key;
    assert_int_equal(fields_read(NULL, 0, not_map, NULL, &f->err), -EINVAL);
    assert_string_equal(f->err.msg, "must be a map, not a text");
}

#define FIXTURE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(reads_every_type),
        FIXTURE_TEST(leaves_defaults),
        FIXTURE_TEST(tells_empty_texts_from_missing_ones),
        FIXTURE_TEST(reads_numbers_of_each_kind),
        FIXTURE_TEST(names_may_be_bin),
        FIXTURE_TEST(refuses_wrong_types),
        FIXTURE_TEST(refuses_what_is_out_of_range),
        FIXTURE_TEST(bounds_without_a_maximum),
        FIXTURE_TEST(refuses_elements),
        FIXTURE_TEST(refuses_names),
        FIXTURE_TEST(misses_required_ones),
        FIXTURE_TEST(reads_no_fields_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
