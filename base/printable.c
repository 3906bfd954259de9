/* SPDX-License-Identifier: MIT */
#include "base/printable.h"

#include <stdint.h>

/* The length of the character at text, and its code point; 0: there is none. */
static size_t printable_decode(const uint8_t *text, size_t len, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need = text[0] < 0x80             ? 1
                  : (text[0] & 0xe0) == 0xc0 ? 2
                  : (text[0] & 0xf0) == 0xe0 ? 3
                  : (text[0] & 0xf8) == 0xf0 ? 4
                                             : 0;
    if (need == 0 || need > len)
        return 0;
    uint32_t code = need == 1 ? text[0] : text[0] & (0x7fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < smallest[need] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret = code;
    return need;
}

static bool printable_code(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
        return false;
    if (code == 0x2028 || code == 0x2029)
        return false;
    return !(code >= 0x202a && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069);
}

/* The length of what is at text, at least 1; *ret: may it be shown? */
static size_t printable_next(const char *text, size_t len, bool *ret)
{
    uint32_t code = 0;
    size_t n = printable_decode((const uint8_t *)text, len, &code);
    *ret = n > 0 && printable_code(code);
    return n > 0 ? n : 1;
}

bool printable_check(const char *text, size_t len)
{
    bool printable = true;
    for (size_t at = 0; at < len && printable;)
        at += printable_next(text + at, len - at, &printable);
    return printable;
}

void printable_force(char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        bool printable;
        size_t end = at + printable_next(text + at, len - at, &printable);
        for (; at < end; at++)
            if (!printable)
                text[at] = '?';
    }
}
