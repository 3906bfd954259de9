/* SPDX-License-Identifier: MIT */
/*
 * escape - a filter between what tasks say and the terminal.
 */
#include "client/escape.h"

#include "client/utf8.h"

bool escape_needed(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) /* C0, DEL, C1 */
           || code == 0x2028 || code == 0x2029           /* line and paragraph separator */
           || (code >= 0x202a && code <= 0x202e)  /* direction embeddings and overrides */
           || (code >= 0x2066 && code <= 0x2069); /* direction isolates */
}

static void escape_byte(struct buf *out, char byte)
{
    switch (byte) {
    case '\n':
        buf_puts(out, "\\n");
        break;
    case '\r':
        buf_puts(out, "\\r");
        break;
    case '\t':
        buf_puts(out, "\\t");
        break;
    case '\x1b':
        buf_puts(out, "\\e");
        break;
    default:
        buf_printf(out, "\\x%02x", (unsigned char)byte);
    }
}

/* Appends the character at bytes, escaped where needed; returns its length, at least 1. */
static size_t escape_character(struct buf *out, const char *bytes, size_t len)
{
    uint32_t code;
    size_t n = utf8_decode(bytes, len, &code);
    if (n == 0 || code < 0x80) {
        if (n == 0 || escape_needed(code))
            escape_byte(out, bytes[0]);
        else
            buf_append(out, bytes, 1);
        return 1;
    }
    if (escape_needed(code))
        buf_printf(out, "\\u%04x", (unsigned)code);
    else
        buf_append(out, bytes, n);
    return n;
}

void escape_text(struct buf *out, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;)
        at += escape_character(out, bytes + at, len - at);
}

/* Bytes that are whole once this lead byte is followed by so many. */
static size_t escape_stream_need(char lead)
{
    unsigned char c = (unsigned char)lead;
    return c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
}

/* What is held is no sequence and no whole character. */
static void escape_stream_flush(struct escape_stream *s, struct buf *out)
{
    escape_text(out, s->held, s->n);
    s->n = 0;
}

static void escape_stream_start(struct escape_stream *s, struct buf *out, char c)
{
    if (c == '\n' || c == '\t' || c == '\r') {
        buf_append(out, &c, 1);
    } else if (c == '\x1b' || escape_stream_need(c) > 1) {
        s->held[0] = c;
        s->n = 1;
    } else {
        (void)escape_character(out, &c, 1);
    }
}

/* Takes c into the sequence or character that is held. False: c does not belong to it. */
static bool escape_stream_take(struct escape_stream *s, struct buf *out, char c)
{
    if (s->held[0] == '\x1b') {
        bool belongs =
            s->n == 1 ? c == '[' : (c >= '0' && c <= '9') || c == ';' || c == ':' || c == 'm';
        if (!belongs || s->n == sizeof(s->held))
            return false;
        s->held[s->n++] = c;
        if (c == 'm') {
            buf_append(out, s->held, s->n);
            s->n = 0;
            s->colored = true;
        }
        return true;
    }
    if (((unsigned char)c & 0xc0) != 0x80)
        return false;
    s->held[s->n++] = c;
    if (s->n == escape_stream_need(s->held[0]))
        escape_stream_flush(s, out);
    return true;
}

void escape_stream_feed(struct escape_stream *s, struct buf *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s->n > 0 && escape_stream_take(s, out, bytes[i]))
            continue;
        if (s->n > 0)
            escape_stream_flush(s, out);
        escape_stream_start(s, out, bytes[i]);
    }
}

void escape_stream_end(struct escape_stream *s, struct buf *out)
{
    escape_stream_flush(s, out);
    if (s->colored)
        buf_puts(out, "\x1b[0m");
    s->colored = false;
}
