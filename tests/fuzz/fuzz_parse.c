/* SPDX-License-Identifier: MIT */
/*
 * fuzz_parse - what people type, and what we print. What must hold:
 *   - a reader leaves *ret alone when it fails, and fails with -EINVAL or -ERANGE;
 *   - what it read keeps the bounds of its header, and reads the same when it is printed;
 *   - any bytes become valid UTF-8 without control characters where a sentence quotes them.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/defs.h"
#include "base/parse.h"
#include "proto/pack.h"
#include "proto/unpack.h"
#include "tests/fuzz/fuzz.h"

enum { UNTOUCHED = 4711, TEXT_MAX = 400 };
#define NOW ((time_t)1749981600)

static bool fuzz_result(int r, uint64_t got)
{
    FUZZ_CHECK(r == 0 || ((r == -EINVAL || r == -ERANGE) && got == UNTOUCHED));
    return r == 0;
}

static void fuzz_u64(const char *text)
{
    uint64_t n = UNTOUCHED;
    if (!fuzz_result(parse_u64(text, &n), n))
        return;
    char again[32];
    snprintf(again, sizeof(again), "%" PRIu64, n);
    while (text[0] == '0' && text[1])
        text++;
    FUZZ_CHECK(!strcmp(text, again));
}

static void fuzz_duration(const char *text)
{
    uint64_t ns = UNTOUCHED, again;
    char printed[FORMAT_DURATION_MAX];
    if (!fuzz_result(parse_duration(text, &ns), ns))
        return;
    FUZZ_CHECK(ns <= PARSE_DURATION_MAX_NS);
    FUZZ_CHECK(parse_duration(format_duration(printed, ns), &again) == 0);
    FUZZ_CHECK(again <= ns && ns - again < 3600 * NSEC_PER_SEC);
}

static void fuzz_size(const char *text)
{
    uint64_t n = UNTOUCHED;
    char printed[FORMAT_SIZE_MAX];
    if (fuzz_result(parse_size(text, &n), n))
        FUZZ_CHECK(strlen(format_size(printed, n)) >= 3);
}

static void fuzz_time(const char *text)
{
    uint64_t ns = UNTOUCHED, again = 0;
    if (!fuzz_result(parse_time(text, NOW, &ns), ns))
        return;
    FUZZ_CHECK(ns <= INT64_MAX);
    if (text[2] == ':' || text[0] == 't')
        FUZZ_CHECK(ns > NOW * NSEC_PER_SEC && ns <= (NOW + 3 * 86400) * NSEC_PER_SEC);
    struct buf b = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    pack_time(&b, ns);
    FUZZ_CHECK(buf_ok(&b) && unpack(&u, b.data, b.len) == 0);
    if (ns > 0) {
        char *printed = bytes_dup(object_text(&u.root));
        FUZZ_CHECK(printed && parse_time(printed, 0, &again) == 0);
        FUZZ_CHECK(again == ns / NSEC_PER_MSEC * NSEC_PER_MSEC);
        free(printed);
    }
    unpacked_done(&u);
    buf_done(&b);
}

static void fuzz_text(const uint8_t *data, size_t len, const char *text)
{
    char quoted[BYTES_QUOTE_MAX];
    bytes_quote(quoted, (struct bytes){(const char *)data, len});
    size_t n = strlen(quoted);
    FUZZ_CHECK(n < sizeof(quoted) && text_is_utf8(quoted, n));
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK((unsigned char)quoted[i] >= ' ' && quoted[i] != 0x7f);
    struct buf b = BUF_INIT;
    struct unpacked u = UNPACKED_INIT;
    pack_sentence(&b, text);
    FUZZ_CHECK(buf_ok(&b) && unpack(&u, b.data, b.len) == 0);
    FUZZ_CHECK(u.root.type == MSGPACK_OBJECT_STR && u.root.via.str.size == strlen(text));
    FUZZ_CHECK(text_is_utf8(object_text(&u.root).data, u.root.via.str.size));
    unpacked_done(&u);
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > TEXT_MAX)
        return 0;
    char *text = malloc(len + 1); /* of its size, so that reading past its end is seen */
    FUZZ_CHECK(text);
    if (len)
        memcpy(text, data, len);
    text[len] = '\0';
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    fuzz_u64(text);
    fuzz_duration(text);
    fuzz_size(text);
    fuzz_time(text);
    fuzz_text(data, len, text);
    free(text);
    return 0;
}
