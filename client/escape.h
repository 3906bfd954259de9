/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * escape - text that tasks wrote or were given, made harmless for a terminal.
 *
 * Control characters, direction overrides and bytes that are not UTF-8 appear as \n, \e, \x9b,
 * \u202e. escape_text is for one line of a table or a sentence. The stream is for output that
 * is shown as it comes: line ends, tabs, carriage returns and colours (SGR) pass, also when
 * they arrive in pieces.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void escape_text(struct buf *out, const char *bytes, size_t len);
/* Whether a code point may not reach a terminal. */
bool escape_needed(uint32_t code);

enum { ESCAPE_HELD_MAX = 64 }; /* bytes; a longer colour sequence is none */

struct escape_stream {
    char held[ESCAPE_HELD_MAX]; /* the beginning of a character or of a sequence */
    size_t n;                   /* bytes of it */
    bool colored;               /* a colour went through: escape_stream_end resets it */
};
#define ESCAPE_STREAM_INIT                                                                     \
    {                                                                                          \
        .n = 0                                                                                 \
    }

void escape_stream_feed(struct escape_stream *, struct buf *out, const char *bytes, size_t len);
void escape_stream_end(struct escape_stream *, struct buf *out);
