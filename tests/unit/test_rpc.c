/* SPDX-License-Identifier: MIT */
/*
 * test_rpc - the envelope, and errors in both forms. What generic clients send (pynvim, Neovim)
 * is written out in bytes.
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
#include "proto/error.h"
#include "proto/pack.h"
#include "proto/rpc.h"

struct fixture {
    struct buf bytes;
    struct unpacked u;
    struct rpc_message m;
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

static int fixture_read(struct fixture *f, const void *bytes, size_t len)
{
    unpacked_done(&f->u);
    assert_int_equal(unpack(&f->u, bytes, len), 0);
    f->m = (struct rpc_message){.msgid = 4711};
    f->err = (struct err)ERR_INIT;
    return rpc_read(&f->u, &f->m, &f->err);
}
#define READ(f, literal) fixture_read(f, literal, sizeof(literal) - 1)

/* What was written into the fixture's buf. */
static int read_back(struct fixture *f)
{
    assert_true(buf_ok(&f->bytes));
    return fixture_read(f, f->bytes.data, f->bytes.len);
}

static void reads_what_we_write(void **state)
{
    struct fixture *f = *state;
    rpc_write_request(&f->bytes, UINT32_MAX, "submit");
    pack_map(&f->bytes, 1);
    pack_text(&f->bytes, "id");
    pack_uint(&f->bytes, 7);
    assert_int_equal(read_back(f), 0);
    assert_int_equal(f->m.type, RPC_REQUEST);
    assert_true(f->m.msgid == UINT32_MAX);
    assert_true(bytes_equal(f->m.method, "submit"));
    assert_false(f->m.params_wrong);
    assert_int_equal(map_uint(f->m.params, "id", 0), 7);

    buf_clear(&f->bytes);
    rpc_write_notification(&f->bytes, "logs");
    pack_map(&f->bytes, 1);
    pack_text(&f->bytes, "request");
    pack_uint(&f->bytes, 3);
    assert_int_equal(read_back(f), 0);
    assert_int_equal(f->m.type, RPC_NOTIFICATION);
    assert_true(bytes_equal(f->m.method, "logs"));
    assert_int_equal(map_uint(f->m.params, "request", 0), 3);

    buf_clear(&f->bytes);
    rpc_write_result(&f->bytes, 0);
    pack_text(&f->bytes, "done");
    assert_int_equal(read_back(f), 0);
    assert_int_equal(f->m.type, RPC_RESPONSE);
    assert_int_equal(f->m.msgid, 0);
    assert_int_equal(f->m.error->type, MSGPACK_OBJECT_NIL);
    assert_true(bytes_equal(object_text(f->m.result), "done"));
}

static void reads_every_empty_map(void **state)
{
    struct fixture *f = *state;
    /* Neovim: rpcrequest(ch, 'health') and rpcrequest(ch, 'health', {}), then a map */
    assert_int_equal(READ(f, "\x94\x00\x01\xa6health\x90"), 0);
    assert_null(f->m.params);
    assert_false(f->m.params_wrong);
    assert_int_equal(READ(f, "\x94\x00\x01\xa6health\x91\x90"), 0);
    assert_null(f->m.params);
    assert_false(f->m.params_wrong);
    assert_int_equal(READ(f, "\x94\x00\x01\xa6health\x91\x80"), 0);
    assert_null(f->m.params);
    assert_false(f->m.params_wrong);
}

static void marks_wrong_params(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t bytes[4];
        size_t len;
    } wrong[] = {
        {{0xc0}, 1},             /* nil */
        {{0x80}, 1},             /* {} without its array */
        {{0x91, 0xc0}, 2},       /* [nil] */
        {{0x91, 0x07}, 2},       /* [7] */
        {{0x91, 0xa0}, 2},       /* [""] */
        {{0x91, 0x91, 0x80}, 3}, /* [[{}]] */
        {{0x92, 0x80, 0x80}, 3}, /* [{}, {}] */
        {{0x92, 0x90, 0x90}, 3},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        buf_clear(&f->bytes);
        buf_append(&f->bytes, "\x94\x00\x05\xa6status", 10);
        buf_append(&f->bytes, wrong[i].bytes, wrong[i].len);
        assert_int_equal(read_back(f), 0);
        assert_true(f->m.params_wrong);
        assert_null(f->m.params);
        assert_int_equal(f->m.msgid, 5);
        assert_true(bytes_equal(f->m.method, "status"));
    }
}

static void reads_what_pynvim_sends(void **state)
{
    struct fixture *f = *state;
    /* at connect: a notification with its method as bin and positional params */
    assert_int_equal(READ(f,
                          "\x93\x02\xc4\x14nvim_set_client_info"
                          "\x95\xc4\x0dpython3-pynvi\x83\xa5major\x00\xa5minor\x04\xa5patch\x02"
                          "\xa6remote\x80\x81\xa7license\xa3MIT"),
                     0);
    assert_int_equal(f->m.type, RPC_NOTIFICATION);
    assert_true(bytes_equal(f->m.method, "nvim_set_client_info"));
    assert_null(f->m.params);
    assert_false(f->m.params_wrong);
    /* a request: method as bin, msgid in four bytes */
    assert_int_equal(
        READ(f, "\x94\x00\xce\x00\x00\x00\x07\xc4\x06status\x91\x81\xc4\x02id\x07"), 0);
    assert_int_equal(f->m.msgid, 7);
    assert_true(bytes_equal(f->m.method, "status"));
    assert_int_equal(map_uint(f->m.params, "id", 0), 7);
    /* a notification without any array is nobody's business either */
    assert_int_equal(READ(f, "\x93\x02\xa1x\xc0"), 0);
}

static void refuses_broken_envelopes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *sentence;
    } broken[] = {
#define BROKEN(literal, sentence) {literal, sizeof(literal) - 1, sentence}
        BROKEN("\x07", "array"),
        BROKEN("\x80", "array"),
        BROKEN("\x90", "array"),
        BROKEN("\xc0", "array"),
        BROKEN("\x94\xc0\x01\xa1m\x90", "type"),
        BROKEN("\x94\xff\x01\xa1m\x90", "type"),
        BROKEN("\x94\x03\x01\xa1m\x90", "type"),
        BROKEN("\x94\xcf\x01\0\0\0\0\0\0\0\x01\xa1m\x90", "type"),
        BROKEN("\x94\xa1\x30\x01\xa1m\x90", "type"),
        BROKEN("\x91\x00", "four elements"),
        BROKEN("\x93\x00\x01\xa1m", "four elements"),
        BROKEN("\x95\x00\x01\xa1m\x90\x90", "four elements"),
        BROKEN("\x94\x00\xff\xa1m\x90", "msgid"),
        BROKEN("\x94\x00\xa1x\xa1m\x90", "msgid"),
        BROKEN("\x94\x00\xcf\0\0\0\x01\0\0\0\0\xa1m\x90", "msgid"),
        BROKEN("\x94\x00\x01\x07\x90", "method"),
        BROKEN("\x94\x00\x01\xc0\x90", "method"),
        BROKEN("\x93\x01\x01\xc0", "four elements"),
        BROKEN("\x94\x01\xc0\xc0\xc0", "msgid"),
        BROKEN("\x94\x02\xa1m\x90\x90", "three elements"),
        BROKEN("\x92\x02\xa1m", "three elements"),
        BROKEN("\x93\x02\x90\xa1m", "method"),
#undef BROKEN
    };
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        assert_int_equal(fixture_read(f, broken[i].bytes, broken[i].len), -EBADMSG);
        assert_int_equal(f->err.code, -EBADMSG);
        assert_non_null(strstr(f->err.msg, broken[i].sentence));
        assert_int_equal(f->m.msgid, 4711); /* untouched */
        assert_int_equal(rpc_read(&f->u, &f->m, NULL), -EBADMSG);
    }
}

/* ---- errors ---- */

static void writes_errors_as_list(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT, back = ERR_INIT;
    err_set(&err, -ENOENT, "there is no task %d", 7);
    rpc_write_error(&f->bytes, 9, &err, NULL, false);
    static const char wanted[] = "\x94\x01\x09\x92\x00\xbdnot-found: there is no task 7\xc0";
    assert_int_equal(read_back(f), 0);
    assert_int_equal(f->bytes.len, sizeof(wanted) - 1);
    assert_memory_equal(f->bytes.data, wanted, sizeof(wanted) - 1);
    assert_int_equal(f->m.error->via.array.size, 2);
    assert_true(bytes_equal(object_text(&f->m.error->via.array.ptr[1]),
                            "not-found: there is no task 7"));
    assert_int_equal(f->m.error->via.array.ptr[1].type, MSGPACK_OBJECT_STR);
    assert_int_equal(f->m.result->type, MSGPACK_OBJECT_NIL);
    assert_int_equal(rpc_read_error(f->m.error, &back), -ENOENT);
    assert_int_equal(back.code, -ENOENT);
    assert_string_equal(back.msg, "there is no task 7");
}

static void writes_errors_as_map(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT, back = ERR_INIT;
    pack_uint(&f->bytes, 42);
    struct value *details _cleanup_(value_unrefp) = pack_take(&f->bytes);
    err_set(&err, -EINVAL, "submit: \"x\" is missing");
    rpc_write_error(&f->bytes, 9, &err, details, true);
    assert_int_equal(read_back(f), 0);
    assert_int_equal(f->m.error->via.map.size, 3);
    assert_true(bytes_equal(map_text(f->m.error, "code"), "invalid"));
    assert_true(bytes_equal(map_text(f->m.error, "message"), "submit: \"x\" is missing"));
    assert_int_equal(map_uint(f->m.error, "details", 0), 42);
    assert_int_equal(f->m.result->type, MSGPACK_OBJECT_NIL);
    assert_int_equal(rpc_read_error(f->m.error, &back), -EINVAL);
    assert_string_equal(back.msg, err.msg);
    buf_clear(&f->bytes);
    rpc_write_error(&f->bytes, 9, &err, NULL, true);
    assert_int_equal(read_back(f), 0);
    assert_int_equal(map_get(f->m.error, "details")->type, MSGPACK_OBJECT_NIL);
}

/* Also one that quotes what was asked: it goes into logs, and to terminals. */
static void sentences_are_printable(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    err_set(&err, -EINVAL, "cwd: /srv/\xff\n\x1b\xe2\x80\xae");
    for (int as_map = 0; as_map <= 1; as_map++) {
        buf_clear(&f->bytes);
        rpc_write_error(&f->bytes, 1, &err, NULL, as_map);
        assert_int_equal(read_back(f), 0);
        const msgpack_object *text =
            as_map ? map_get(f->m.error, "message") : &f->m.error->via.array.ptr[1];
        assert_int_equal(text->type, MSGPACK_OBJECT_STR);
        assert_true(bytes_equal(object_text(text),
                                as_map ? "cwd: /srv/??????" : "invalid: cwd: /srv/??????"));
    }
}

static void every_word_goes_both_ways(void **state)
{
    struct fixture *f = *state;
    static const int codes[] = {
#define CODE(word, errno_, exit, meaning) -(errno_),
        PROTO_ERRORS(CODE)
#undef CODE
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        const char *word = proto_error_word(codes[i]);
        assert_int_equal(proto_error_from_word(word, strlen(word)), codes[i]);
        for (int as_map = 0; as_map <= 1; as_map++) {
            struct err err = ERR_INIT, back = ERR_INIT;
            err_set(&err, codes[i], "a: b: c");
            buf_clear(&f->bytes);
            rpc_write_error(&f->bytes, 1, &err, NULL, as_map);
            assert_int_equal(read_back(f), 0);
            assert_int_equal(rpc_read_error(f->m.error, &back), codes[i]);
            assert_string_equal(back.msg, "a: b: c");
        }
    }
    assert_string_equal(proto_error_word(-ENOENT), "not-found");
    assert_string_equal(proto_error_word(-EXDEV), "internal");
    assert_string_equal(proto_error_word(0), "internal");
    assert_int_equal(proto_error_from_word("not-foundx", 9), -ENOENT);
    assert_int_equal(proto_error_from_word("not-foundx", 10), -EPROTO);
    assert_int_equal(proto_error_from_word("", 0), -EPROTO);
    assert_int_equal(proto_error_exit(-EINVAL), 2);
    assert_int_equal(proto_error_exit(-ENOENT), 3);
    assert_int_equal(proto_error_exit(-ESHUTDOWN), 4);
    assert_int_equal(proto_error_exit(-ETIMEDOUT), 124);
    assert_int_equal(proto_error_exit(-EXDEV), 5);
}

/* The error of a response in the given bytes. */
static int read_error(struct fixture *f, const char *bytes, size_t len, struct err *ret)
{
    unpacked_done(&f->u);
    assert_int_equal(unpack(&f->u, bytes, len), 0);
    *ret = (struct err)ERR_INIT;
    return rpc_read_error(&f->u.root, ret);
}
#define READ_ERROR(f, literal, ret) read_error(f, literal, sizeof(literal) - 1, ret)

static void reads_strange_errors(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_int_equal(READ_ERROR(f, "\xc0", &err), 0);
    assert_int_equal(err.code, 0);
    assert_int_equal(READ_ERROR(f, "\x92\x00\xa9new: word", &err), -EPROTO);
    assert_string_equal(err.msg, "new: word");
    assert_int_equal(READ_ERROR(f, "\xa7no word", &err), -EPROTO);
    assert_string_equal(err.msg, "no word");
    assert_int_equal(READ_ERROR(f,
                                "\xc4\x07"
                                "busy: x",
                                &err),
                     -EAGAIN);
    assert_string_equal(err.msg, "x");
    assert_int_equal(READ_ERROR(f, "\x80", &err), -EPROTO);
    assert_int_equal(READ_ERROR(f, "\x90", &err), -EPROTO);
    assert_int_equal(READ_ERROR(f, "\x92\x00\x07", &err), -EPROTO);
    assert_int_equal(READ_ERROR(f, "\x07", &err), -EPROTO);
    assert_int_equal(READ_ERROR(f,
                                "\x81\xa4"
                                "code\xa4"
                                "busy",
                                &err),
                     -EAGAIN);
    assert_string_equal(err.msg, "");
    char text[1000] = "\xda\x03\xe0limit: ";
    memset(text + 10, 'x', 992 - 7);
    assert_int_equal(read_error(f, text, 995, &err), -EDQUOT);
    assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
}

#define FIXTURE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(reads_what_we_write),       FIXTURE_TEST(reads_every_empty_map),
        FIXTURE_TEST(marks_wrong_params),        FIXTURE_TEST(reads_what_pynvim_sends),
        FIXTURE_TEST(refuses_broken_envelopes),  FIXTURE_TEST(writes_errors_as_list),
        FIXTURE_TEST(writes_errors_as_map),      FIXTURE_TEST(sentences_are_printable),
        FIXTURE_TEST(every_word_goes_both_ways), FIXTURE_TEST(reads_strange_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
