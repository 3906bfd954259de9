/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * scan - finds the end of a MessagePack message, byte by byte, before msgpack-c sees it.
 *
 * msgpack-c has no limits of its own: five bytes can ask it for gigabytes. The scanner is
 * fed whatever has arrived and bounds size, depth and number of objects; it allocates nothing
 * and keeps its place, so a message is looked at once however slowly it comes. It checks the
 * shape only: no extension types, the reserved byte 0xc1 is refused; text is not checked for
 * UTF-8.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

struct scan {
    size_t bytes;                       /* of the message so far */
    uint32_t items;                     /* objects so far and those that containers announced */
    uint32_t depth;                     /* containers that are open */
    uint64_t left[LIMIT_MESSAGE_DEPTH]; /* objects still missing in each of them */
    /* private */
    uint64_t skip;    /* payload bytes of a str, bin or number still to come */
    uint8_t head[5];  /* a header that has come in part */
    uint8_t head_len; /* how much of it */
};

enum scan_result {
    SCAN_MORE = 0, /* all bytes were used; the message goes on */
    SCAN_DONE = 1, /* *used bytes complete the message; the scanner is ready for the next */
};

void scan_init(struct scan *);
/* SCAN_MORE, SCAN_DONE, -EMSGSIZE (a limit; the sentence says which) or -EBADMSG (not
 * MessagePack as it is used here). After an error the connection has to be closed. */
int scan_feed(struct scan *, const uint8_t *bytes, size_t len, size_t *used, struct err *);
