/* SPDX-License-Identifier: MIT */
/*
 * test_proto - pack and unpack. What is packed is compared byte by byte.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "proto/pack.h"
#include "proto/rpc.h"
#include "proto/unpack.h"

/* ---- pack, unpack ---- */

static void check_packed(struct buf *b, const void *bytes, size_t len)
{
    assert_true(buf_ok(b));
    assert_int_equal(b->len, len);
    assert_memory_equal(b->data, bytes, len);
    buf_clear(b);
}
#define PACKED(b, literal) check_packed(b, literal, sizeof(literal) - 1)

static void packs_each_kind(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    pack_nil(&b);
    pack_bool(&b, true);
    pack_bool(&b, false);
    PACKED(&b, "\xc0\xc3\xc2");
    pack_int(&b, -1);
    pack_int(&b, 127);
    pack_int(&b, INT64_MIN);
    PACKED(&b, "\xff\x7f\xd3\x80\0\0\0\0\0\0\0");
    pack_uint(&b, 300);
    PACKED(&b, "\xcd\x01\x2c");
    pack_uint(&b, INT64_MAX);
    pack_uint(&b, UINT64_MAX);
    PACKED(&b, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xcf\x7f\xff\xff\xff\xff\xff\xff\xff");
    pack_double(&b, -2.5);
    PACKED(&b, "\xcb\xc0\x04\0\0\0\0\0\0");
    pack_array(&b, 2);
    pack_map(&b, 70000);
    PACKED(&b, "\x92\xdf\0\x01\x11\x70");
    pack_bin(&b, "ab", 2);
    PACKED(&b, "\xc4\x02"
               "ab");
    buf_done(&b);
}

static void packs_text_as_what_it_is(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    pack_text(&b, "h\xc3\xa9");
    pack_text(&b, "");
    pack_text(&b, NULL);
    PACKED(&b, "\xa3h\xc3\xa9\xa0\xc0");
    pack_text(&b, "\xff");
    PACKED(&b, "\xc4\x01\xff");
    pack_text_n(&b, "a\0b", 3);
    PACKED(&b, "\xa3"
               "a\0b");
    pack_sentence(&b, "plain \xc3\xa9");
    PACKED(&b, "\xa8plain \xc3\xa9");
    pack_sentence(&b, "\xff\xe2\x82 caf\xc3\xa9 \xc3"); /* the last was cut */
    PACKED(&b, "\xab??? caf\xc3\xa9 ?");
    buf_done(&b);
}

static void knows_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "ascii",
        "0123456789abcdef\xc3\xa9ghijklmnop",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
    };
    static const char *const bad[] = {
        "\x80",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x7f",
        "\xc2\xc0",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xe2\x82\x7f",
        "\xed\xa0\x80", /* a surrogate */
        "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x98",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "01234567\x80",
        "0123456\xc3",
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(text_is_utf8(bad[i], strlen(bad[i])));
}

static void packs_times(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    pack_time(&b, 0);
    pack_time(&b, 1);
    PACKED(&b, "\xc0\xb8"
               "1970-01-01T00:00:00.000Z");
    pack_time(&b, UINT64_C(1749981600) * NSEC_PER_SEC + 123 * NSEC_PER_MSEC + 999999);
    PACKED(&b, "\xb8"
               "2025-06-15T10:00:00.123Z");
    pack_time(&b, UINT64_MAX);
    PACKED(&b, "\xb8"
               "2554-07-21T23:34:33.709Z");
    buf_done(&b);
}

static void packs_maps_of_unknown_size(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct pack_map_place outer = pack_map_begin(&b);
    pack_key(&b, &outer, "a");
    struct pack_map_place inner = pack_map_begin(&b);
    pack_map_end(&b, &inner);
    for (int i = 0; i < 299; i++) {
        pack_key(&b, &outer, "b");
        pack_int(&b, i);
    }
    pack_map_end(&b, &outer);
    assert_memory_equal(b.data, "\xdf\0\0\x01\x2c\xa1\x61\xdf\0\0\0\0", 12);
    struct unpacked u = UNPACKED_INIT;
    assert_int_equal(unpack(&u, b.data, b.len), 0);
    assert_int_equal(u.root.via.map.size, 300);
    unpacked_done(&u);
    buf_done(&b);
}

static void takes_values(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    pack_text(&b, "x");
    struct value *v _cleanup_(value_unrefp) = pack_take(&b);
    assert_non_null(v);
    assert_int_equal(v->len, 2);
    assert_null(b.data);
    pack_value(&b, v);
    pack_value(&b, NULL);
    PACKED(&b, "\xa1x\xc0");
    b.failed = true;
    assert_null(pack_take(&b));
    assert_true(buf_ok(&b));
    buf_done(&b);
}

static void survives_a_failed_buf(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    b.failed = true;
    struct pack_map_place place = pack_map_begin(&b);
    pack_key(&b, &place, "key");
    pack_sentence(&b, "\xff");
    pack_time(&b, 1);
    rpc_write_request(&b, 1, "m");
    pack_map_end(&b, &place);
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, 0);
    buf_done(&b);
}

static void unpacks_exactly_one_object(void **state)
{
    (void)state;
    struct unpacked u = UNPACKED_INIT;
    unpacked_done(&u);
    static const char text[] = "\x92\xa3"
                               "abc\xc4\x01z";
    assert_int_equal(unpack(&u, text, 8), 0);
    assert_ptr_equal(u.root.via.array.ptr[0].via.str.ptr, text + 2); /* not a copy */
    assert_ptr_equal(u.root.via.array.ptr[1].via.bin.ptr, text + 7);
    unpacked_done(&u);
    unpacked_done(&u);
    assert_int_equal(unpack(&u, "\xa0", 1), 0);
    assert_true(bytes_equal(object_text(&u.root), "")); /* there, though empty */
    unpacked_done(&u);
    assert_int_equal(unpack(&u, text, 9), -EBADMSG);
    assert_int_equal(unpack(&u, text, 7), -EBADMSG);
    assert_int_equal(unpack(&u, text, 0), -EBADMSG);
    assert_int_equal(unpack(&u, "\xc1", 1), -EBADMSG);
    assert_null(u.zone);
}

static void reads_maps(void **state)
{
    (void)state;
    struct unpacked u = UNPACKED_INIT;
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    pack_key(&b, &map, "uint");
    pack_uint(&b, INT64_MAX);
    pack_key(&b, &map, "int");
    pack_int(&b, -7);
    pack_key(&b, &map, "float");
    pack_double(&b, 0.5);
    pack_key(&b, &map, "bool");
    pack_bool(&b, true);
    pack_key(&b, &map, "text");
    pack_text(&b, "text");
    pack_key(&b, &map, "bin");
    pack_bin(&b, "\xff", 1);
    pack_key(&b, &map, "empty");
    pack_text(&b, "");
    pack_map_end(&b, &map);
    assert_int_equal(unpack(&u, b.data, b.len), 0);
    const msgpack_object *m = &u.root;
    assert_true(map_uint(m, "uint", 1) == INT64_MAX);
    assert_true(map_uint(m, "int", 1) == 1);
    assert_true(map_uint(m, "none", 1) == 1);
    assert_true(map_int(m, "int", 1) == -7);
    assert_true(map_int(m, "uint", 1) == INT64_MAX);
    assert_true(map_int(m, "text", 1) == 1);
    assert_true(map_number(m, "float", 1) == 0.5);
    assert_true(map_number(m, "int", 1) == -7);
    assert_true(map_number(m, "uint", 1) == (double)INT64_MAX);
    assert_true(map_number(m, "bool", 1) == 1);
    assert_true(map_number(m, "none", 1) == 1);
    assert_true(map_bool(m, "bool", false));
    assert_true(map_bool(m, "uint", true));
    assert_true(bytes_equal(map_text(m, "text"), "text"));
    assert_true(bytes_equal(map_text(m, "bin"), "\xff"));
    assert_true(bytes_equal(map_text(m, "empty"), ""));
    assert_null(map_text(m, "int").data);
    assert_null(map_get(m, "none"));
    assert_null(map_get(NULL, "x"));
    assert_null(map_get(map_get(m, "int"), "x"));
    unpacked_done(&u);
    buf_done(&b);
}

static void handles_bytes(void **state)
{
    (void)state;
    char *copy = bytes_dup((struct bytes){"abcd", 2});
    assert_string_equal(copy, "ab");
    free(copy);
    copy = bytes_dup((struct bytes){NULL, 0});
    assert_string_equal(copy, "");
    free(copy);
    assert_true(bytes_equal((struct bytes){"abcd", 2}, "ab"));
    assert_false(bytes_equal((struct bytes){"abcd", 2}, "abc"));
    assert_false(bytes_equal((struct bytes){"abcd", 2}, "a"));
    assert_false(bytes_equal((struct bytes){NULL, 0}, ""));
}

static void quotes_bytes(void **state)
{
    (void)state;
    char text[BYTES_QUOTE_MAX], long_text[300];
    assert_string_equal(bytes_quote(text, (struct bytes){NULL, 0}), "\"\"");
    assert_string_equal(bytes_quote(text, (struct bytes){"a b", 3}), "\"a b\"");
    assert_string_equal(bytes_quote(text, (struct bytes){"\0\xff\x7f\xc3\xa9\xc3", 6}),
                        "\"\\x00\\xff\\x7f\xc3\xa9\\xc3\"");
    memset(long_text, 'x', sizeof(long_text));
    /* the longest that is not cut has room for the quote and the dots too */
    bytes_quote(text, (struct bytes){long_text, BYTES_QUOTE_MAX - 6});
    assert_string_equal(text + strlen(text) - 2, "x\"");
    for (size_t n = BYTES_QUOTE_MAX - 5; n < sizeof(long_text); n++) {
        bytes_quote(text, (struct bytes){long_text, n});
        assert_true(strlen(text) < BYTES_QUOTE_MAX);
        assert_string_equal(text + strlen(text) - 5, "x\"...");
    }
    memset(long_text, '\n', sizeof(long_text));
    bytes_quote(text, (struct bytes){long_text, sizeof(long_text)});
    assert_true(strlen(text) < BYTES_QUOTE_MAX);
    assert_string_equal(text + strlen(text) - 5, "a\"...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_each_kind),
        cmocka_unit_test(packs_text_as_what_it_is),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(packs_times),
        cmocka_unit_test(packs_maps_of_unknown_size),
        cmocka_unit_test(takes_values),
        cmocka_unit_test(survives_a_failed_buf),
        cmocka_unit_test(unpacks_exactly_one_object),
        cmocka_unit_test(reads_maps),
        cmocka_unit_test(handles_bytes),
        cmocka_unit_test(quotes_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
