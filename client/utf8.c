/* SPDX-License-Identifier: MIT */
/*
 * utf8 - strict decoding, and a table of the characters that take no column or two.
 *
 * wcwidth(3) knows more but asks the locale, which a service or a script often has as "C".
 */
#include "client/utf8.h"

#include <stdbool.h>

#include "base/defs.h"

struct utf8_range {
    uint32_t first;
    uint32_t last;
    unsigned cells;
};

/* In ascending order; everything else takes one column. */
static const struct utf8_range utf8_ranges[] = {
    {0x0300, 0x036f, 0},   /* combining marks */
    {0x1100, 0x115f, 2},   /* Hangul Jamo */
    {0x1ab0, 0x1aff, 0},   /* combining marks */
    {0x200b, 0x200f, 0},   /* zero width */
    {0x20d0, 0x20ff, 0},   /* combining marks for symbols */
    {0x2e80, 0x303e, 2},   /* CJK radicals and punctuation */
    {0x3041, 0xa4cf, 2},   /* kana, CJK ideographs, Yi */
    {0xac00, 0xd7a3, 2},   /* Hangul */
    {0xf900, 0xfaff, 2},   /* CJK compatibility */
    {0xfe00, 0xfe0f, 0},   /* variation selectors */
    {0xfe30, 0xfe6f, 2},   /* CJK forms */
    {0xff00, 0xff60, 2},   /* full width */
    {0xffe0, 0xffe6, 2},   /* full width signs */
    {0x1f300, 0x1f64f, 2}, /* pictographs */
    {0x1f680, 0x1f6ff, 2}, /* transport */
    {0x1f900, 0x1f9ff, 2}, /* more pictographs */
    {0x20000, 0x3fffd, 2}, /* CJK extensions */
};

static bool utf8_continues(const char *bytes, size_t len)
{
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            return false;
    }
    return true;
}

size_t utf8_decode(const char *bytes, size_t len, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = len ? (unsigned char)bytes[0] : 0xff;
    size_t need = lead < 0x80             ? 1
                  : (lead & 0xe0) == 0xc0 ? 2
                  : (lead & 0xf0) == 0xe0 ? 3
                  : (lead & 0xf8) == 0xf0 ? 4
                                          : 0;
    if (need == 0 || need > len || !utf8_continues(bytes, need))
        return 0;
    uint32_t code = need == 1 ? lead : lead & (0x7fu >> need);
    for (size_t i = 1; i < need; i++)
        code = code << 6 | ((unsigned char)bytes[i] & 0x3f);
    if (code < smallest[need] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret = code;
    return need;
}

static unsigned utf8_cells(uint32_t code)
{
    if (code < utf8_ranges[0].first)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(utf8_ranges) && code >= utf8_ranges[i].first; i++) {
        if (code <= utf8_ranges[i].last)
            return utf8_ranges[i].cells;
    }
    return 1;
}

/* The length of the character at text, at least 1, and its columns. */
static size_t utf8_next(const char *text, size_t len, unsigned *cells)
{
    uint32_t code;
    size_t n = utf8_decode(text, len, &code);
    *cells = n > 0 ? utf8_cells(code) : 1;
    return n > 0 ? n : 1;
}

size_t utf8_width(const char *text, size_t len)
{
    size_t width = 0;
    for (size_t at = 0; at < len;) {
        unsigned cells;
        at += utf8_next(text + at, len - at, &cells);
        width += cells;
    }
    return width;
}

size_t utf8_cut(struct buf *out, const char *text, size_t len, size_t width)
{
    size_t whole = utf8_width(text, len);
    if (whole <= width) {
        buf_append(out, text, len);
        return whole;
    }
    if (width == 0)
        return 0;
    size_t used = 0;
    size_t at = 0;
    while (at < len) {
        unsigned cells;
        size_t n = utf8_next(text + at, len - at, &cells);
        if (used + cells > width - 1)
            break;
        used += cells;
        at += n;
    }
    buf_append(out, text, at);
    buf_puts(out, "…");
    return used + 1;
}

void utf8_line(struct buf *out, const struct buf *line, size_t width)
{
    if (width && buf_ok(line))
        (void)utf8_cut(out, (const char *)line->data, line->len, width);
    else
        buf_append(out, line->data, line->len);
    out->failed |= line->failed;
    buf_puts(out, "\n");
}
