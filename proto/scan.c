/* SPDX-License-Identifier: MIT */
/*
 * scan - three states: before an object, inside its header (head_len bytes of head_need have
 * come), inside its payload (skip bytes are still to come). A header is judged when it is
 * complete and announces what follows, so no limit can be passed by promising: objects count
 * from their announcement on. An object that completes may complete the containers around it;
 * that is a loop over left[], never recursion.
 */
#include "proto/scan.h"

#include <assert.h>
#include <errno.h>

static_assert(LIMIT_MESSAGE_DEPTH >= 1 && LIMIT_MESSAGE_ITEMS >= 1, "a message is an object");

/* What the number in a header means. */
enum scan_kind {
    SCAN_KIND_PAYLOAD, /* bytes that follow */
    SCAN_KIND_ARRAY,   /* objects that follow */
    SCAN_KIND_MAP,     /* pairs of objects that follow */
    SCAN_KIND_WRONG,
};

struct scan_head {
    enum scan_kind kind;
    uint8_t length_bytes; /* that hold the number, behind the first byte; 0: it is here */
    uint8_t number;
};

/* 0xc0 to 0xdf: nil, bool, bin, ext, float, integers, fixext, str, array, map. */
static const struct scan_head scan_heads[32] = {
    [0x00] = {SCAN_KIND_PAYLOAD, 0, 0}, [0x01] = {SCAN_KIND_WRONG, 0, 0},
    [0x02] = {SCAN_KIND_PAYLOAD, 0, 0}, [0x03] = {SCAN_KIND_PAYLOAD, 0, 0},
    [0x04] = {SCAN_KIND_PAYLOAD, 1, 0}, [0x05] = {SCAN_KIND_PAYLOAD, 2, 0},
    [0x06] = {SCAN_KIND_PAYLOAD, 4, 0}, [0x07] = {SCAN_KIND_WRONG, 0, 0},
    [0x08] = {SCAN_KIND_WRONG, 0, 0},   [0x09] = {SCAN_KIND_WRONG, 0, 0},
    [0x0a] = {SCAN_KIND_PAYLOAD, 0, 4}, [0x0b] = {SCAN_KIND_PAYLOAD, 0, 8},
    [0x0c] = {SCAN_KIND_PAYLOAD, 0, 1}, [0x0d] = {SCAN_KIND_PAYLOAD, 0, 2},
    [0x0e] = {SCAN_KIND_PAYLOAD, 0, 4}, [0x0f] = {SCAN_KIND_PAYLOAD, 0, 8},
    [0x10] = {SCAN_KIND_PAYLOAD, 0, 1}, [0x11] = {SCAN_KIND_PAYLOAD, 0, 2},
    [0x12] = {SCAN_KIND_PAYLOAD, 0, 4}, [0x13] = {SCAN_KIND_PAYLOAD, 0, 8},
    [0x14] = {SCAN_KIND_WRONG, 0, 0},   [0x15] = {SCAN_KIND_WRONG, 0, 0},
    [0x16] = {SCAN_KIND_WRONG, 0, 0},   [0x17] = {SCAN_KIND_WRONG, 0, 0},
    [0x18] = {SCAN_KIND_WRONG, 0, 0},   [0x19] = {SCAN_KIND_PAYLOAD, 1, 0},
    [0x1a] = {SCAN_KIND_PAYLOAD, 2, 0}, [0x1b] = {SCAN_KIND_PAYLOAD, 4, 0},
    [0x1c] = {SCAN_KIND_ARRAY, 2, 0},   [0x1d] = {SCAN_KIND_ARRAY, 4, 0},
    [0x1e] = {SCAN_KIND_MAP, 2, 0},     [0x1f] = {SCAN_KIND_MAP, 4, 0},
};

static struct scan_head scan_head_of(uint8_t first)
{
    if (first < 0x80 || first >= 0xe0) /* small integers */
        return (struct scan_head){SCAN_KIND_PAYLOAD, 0, 0};
    if (first < 0x90)
        return (struct scan_head){SCAN_KIND_MAP, 0, first & 0x0f};
    if (first < 0xa0)
        return (struct scan_head){SCAN_KIND_ARRAY, 0, first & 0x0f};
    if (first < 0xc0) /* a short str */
        return (struct scan_head){SCAN_KIND_PAYLOAD, 0, first & 0x1f};
    return scan_heads[first & 0x1f];
}

void scan_init(struct scan *s)
{
    *s = (struct scan){.items = 1}; /* the message itself */
}

static int scan_too_large(struct err *err)
{
    return err_set(err, -EMSGSIZE, "a message has more than %u bytes", LIMIT_MESSAGE_BYTES);
}

/* An object is complete, and with it every container whose last one it was. */
static int scan_object_done(struct scan *s)
{
    while (s->depth > 0 && --s->left[s->depth - 1] == 0)
        s->depth--;
    if (s->depth > 0)
        return SCAN_MORE;
    scan_init(s);
    return SCAN_DONE;
}

static int scan_container(struct scan *s, uint64_t n, struct err *err)
{
    if (s->depth == LIMIT_MESSAGE_DEPTH)
        return err_set(err, -EMSGSIZE, "a message has more than %u levels",
                       LIMIT_MESSAGE_DEPTH);
    if (n > LIMIT_MESSAGE_ITEMS - s->items)
        return err_set(err, -EMSGSIZE, "a message has more than %u objects",
                       LIMIT_MESSAGE_ITEMS);
    if (n == 0)
        return scan_object_done(s);
    s->items += (uint32_t)n;
    s->left[s->depth++] = n;
    return SCAN_MORE;
}

static int scan_payload(struct scan *s, uint64_t n, struct err *err)
{
    if (n > LIMIT_MESSAGE_BYTES - s->bytes)
        return scan_too_large(err);
    if (n == 0)
        return scan_object_done(s);
    s->skip = n;
    return SCAN_MORE;
}

/* A header is complete. */
static int scan_head_done(struct scan *s, struct scan_head head, struct err *err)
{
    uint64_t n = head.number;
    for (size_t i = 1; i <= head.length_bytes; i++)
        n = n << 8 | s->head[i];
    s->head_len = 0;
    switch (head.kind) {
    case SCAN_KIND_PAYLOAD:
        return scan_payload(s, n, err);
    case SCAN_KIND_ARRAY:
        return scan_container(s, n, err);
    case SCAN_KIND_MAP:
        return scan_container(s, 2 * n, err);
    case SCAN_KIND_WRONG:
        break;
    }
    if (s->head[0] == 0xc1)
        return err_set(err, -EBADMSG, "the byte 0xc1 is not MessagePack");
    return err_set(err, -EBADMSG, "extension types are not used here (0x%02x)", s->head[0]);
}

/* The next byte of a header. */
static int scan_head_byte(struct scan *s, uint8_t byte, struct err *err)
{
    if (s->bytes == LIMIT_MESSAGE_BYTES)
        return scan_too_large(err);
    s->bytes++;
    s->head[s->head_len++] = byte;
    struct scan_head head = scan_head_of(s->head[0]);
    if (s->head_len <= head.length_bytes)
        return SCAN_MORE;
    return scan_head_done(s, head, err);
}

/* Runs of short texts and small numbers that are here as a whole, most of any message, without
 * the detour over head[]. Returns the bytes used; stops in front of what needs a closer look, which
 * is also whatever would complete a container. */
static size_t scan_run(struct scan *s, const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    uint64_t *left = &s->left[s->depth - 1];
    size_t room = LIMIT_MESSAGE_BYTES - s->bytes;
    if (len > room)
        len = room;
    while (*left > 1 && at < len) {
        uint8_t first = bytes[at];
        size_t n;
        if (first < 0x80 || first >= 0xe0)
            n = 1;
        else if (first >= 0xa0 && first < 0xc0)
            n = 1 + (first & 0x1fu);
        else if (first == 0xd9 && at + 1 < len)
            n = 2u + bytes[at + 1];
        else
            break;
        if (n > len - at)
            break;
        at += n;
        --*left;
    }
    s->bytes += at;
    return at;
}

int scan_feed(struct scan *s, const uint8_t *bytes, size_t len, size_t *used, struct err *err)
{
    size_t at = 0;
    int r = SCAN_MORE;
    while (r == SCAN_MORE && at < len) {
        if (s->skip == 0 && s->head_len == 0 && s->depth > 0)
            at += scan_run(s, bytes + at, len - at);
        if (at == len)
            break;
        if (s->skip == 0) {
            r = scan_head_byte(s, bytes[at++], err);
            continue;
        }
        size_t n = s->skip < len - at ? (size_t)s->skip : len - at;
        s->skip -= n;
        s->bytes += n;
        at += n;
        if (s->skip == 0)
            r = scan_object_done(s);
    }
    *used = at;
    return r;
}
