/* SPDX-License-Identifier: MIT */
/*
 * fuzz_scan - the path of bytes from a stranger's socket: scanner, msgpack-c, envelope, fields.
 *
 * The input is a stream of messages. What must hold:
 *   - what the scanner accepts, msgpack-c reads completely, with the same length;
 *   - where the scanner waits for more, msgpack-c finds no complete object either;
 *   - in pieces of any size, messages end at the same places and the stream fails the same way;
 *   - no limit is ever exceeded.
 */
#include <errno.h>
#include <string.h>

#include "base/defs.h"
#include "base/limits.h"
#include "proto/pack.h"
#include "proto/rpc.h"
#include "proto/scan.h"
#include "tests/fuzz/fuzz.h"

struct params {
    bool b;
    uint64_t u;
    int64_t i;
    double d;
    struct bytes text;
    const msgpack_object *any;
    const msgpack_object *list;
    const msgpack_object *texts;
    const msgpack_object *ids;
    const msgpack_object *map;
};

#define PARAM(member) offsetof(struct params, member)
static const struct field table[] = {
    {"b", FIELD_BOOL, false, PARAM(b), 0},     {"u", FIELD_UINT, false, PARAM(u), 1000},
    {"i", FIELD_INT, false, PARAM(i), 1000},   {"d", FIELD_NUMBER, false, PARAM(d), 1000},
    {"t", FIELD_TEXT, false, PARAM(text), 8},  {"o", FIELD_OBJECT, false, PARAM(any), 0},
    {"l", FIELD_ARRAY, false, PARAM(list), 4}, {"x", FIELD_TEXTS, false, PARAM(texts), 4},
    {"n", FIELD_IDS, false, PARAM(ids), 4},    {"m", FIELD_MAP, false, PARAM(map), 4},
};

static void fuzz_params(const msgpack_object *map)
{
    struct params p = {0};
    struct err err = ERR_INIT;
    int r = fields_read(table, ARRAY_SIZE(table), map, &p, &err);
    FUZZ_CHECK(r == 0 || (r == -EINVAL && err.code == r && err.msg[0]));
    if (r < 0)
        return;
    FUZZ_CHECK(p.u <= 1000 && p.i <= 1000 && p.d <= 1000 && p.text.len <= 8);
    FUZZ_CHECK(!p.text.data || !memchr(p.text.data, '\0', p.text.len));
    for (uint32_t i = 0; p.ids && i < p.ids->via.array.size; i++)
        FUZZ_CHECK(p.ids->via.array.ptr[i].via.u64 >= 1);
    for (uint32_t i = 0; p.texts && i < p.texts->via.array.size; i++)
        FUZZ_CHECK(object_text(&p.texts->via.array.ptr[i]).data);
    map_int(map, "i", 0);
    map_number(map, "d", 0);
}

static void fuzz_envelope(const struct unpacked *u)
{
    struct rpc_message m;
    struct err err = ERR_INIT;
    int r = rpc_read(u, &m, &err);
    FUZZ_CHECK(r == 0 || (r == -EBADMSG && err.code == r && err.msg[0]));
    fuzz_params(r == 0 ? m.params : &u->root);
    if (r < 0)
        return;
    if (m.type == RPC_RESPONSE) {
        FUZZ_CHECK(m.error && m.result);
        r = rpc_read_error(m.error, &err);
        FUZZ_CHECK((r == 0) == (m.error->type == MSGPACK_OBJECT_NIL));
        return;
    }
    char quoted[BYTES_QUOTE_MAX];
    FUZZ_CHECK(m.method.data);
    bytes_quote(quoted, m.method);
    FUZZ_CHECK(strlen(quoted) < BYTES_QUOTE_MAX && text_is_utf8(quoted, strlen(quoted)));
    FUZZ_CHECK(!m.params || m.params->type == MSGPACK_OBJECT_MAP);
}

/* A message that the scanner accepted. */
static void fuzz_message(const uint8_t *message, size_t len)
{
    FUZZ_CHECK(len <= LIMIT_MESSAGE_BYTES);
    uint8_t *bytes = malloc(len); /* alone, so that reading past its end is seen */
    FUZZ_CHECK(bytes);
    memcpy(bytes, message, len);
    struct unpacked u = UNPACKED_INIT;
    FUZZ_CHECK(unpack(&u, bytes, len) == 0);
    fuzz_envelope(&u);
    unpacked_done(&u);
    free(bytes);
}

/* Feeds the stream in pieces whose sizes its own bytes choose, up to max; notes where the
 * last message ended. */
static int fuzz_feed(const uint8_t *data, size_t len, size_t max, size_t *ret_end,
                     size_t *ret_messages)
{
    struct scan s;
    struct err err = ERR_INIT;
    size_t at = 0;
    int r = SCAN_MORE;
    *ret_end = 0;
    *ret_messages = 0;
    scan_init(&s);
    while (at < len && r >= 0) {
        size_t piece = max == SIZE_MAX ? len - at : 1 + data[at] % max;
        if (piece > len - at)
            piece = len - at;
        size_t used = SIZE_MAX;
        r = scan_feed(&s, data + at, piece, &used, &err);
        FUZZ_CHECK(used <= piece && (used == piece || r != SCAN_MORE));
        FUZZ_CHECK(s.depth <= LIMIT_MESSAGE_DEPTH && s.items <= LIMIT_MESSAGE_ITEMS);
        FUZZ_CHECK(s.bytes + s.skip <= LIMIT_MESSAGE_BYTES);
        FUZZ_CHECK(r >= 0 || (err.code == r && err.msg[0]));
        at += used;
        if (r == SCAN_DONE) {
            *ret_end = at;
            ++*ret_messages;
        }
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct scan s;
    size_t start = 0, messages = 0;
    int r = SCAN_DONE;
    scan_init(&s);
    while (start < len) {
        size_t used;
        r = scan_feed(&s, data + start, len - start, &used, NULL);
        if (r != SCAN_DONE)
            break;
        FUZZ_CHECK(used > 0 && s.bytes == 0 && s.depth == 0);
        fuzz_message(data + start, used);
        start += used;
        messages++;
    }
    if (r == SCAN_MORE) {
        struct unpacked u = UNPACKED_INIT;
        FUZZ_CHECK(unpack(&u, data + start, len - start) != 0);
    }
    static const size_t pieces[] = {1, 3, 64, SIZE_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        size_t end, n;
        int again = fuzz_feed(data, len, pieces[i], &end, &n);
        FUZZ_CHECK(end == start && n == messages);
        FUZZ_CHECK(len == 0 || again == r);
    }
    return 0;
}
