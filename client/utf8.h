/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * utf8 - characters and their columns on a terminal, the same in every locale.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The length (1 to 4) of the character at bytes and its code point; 0 when no valid UTF-8
 * character of at most len bytes is there. */
size_t utf8_decode(const char *bytes, size_t len, uint32_t *ret);
/* Columns of a text; a byte that is not UTF-8 counts as one. */
size_t utf8_width(const char *text, size_t len);
/* Appends at most width columns of the text; what is too long ends in "…". Returns the columns
 * used. */
size_t utf8_cut(struct buf *out, const char *text, size_t len, size_t width);
/* Appends a line of at most width columns (0: however long) and its end. A buf that has failed
 * fails the other one. */
void utf8_line(struct buf *out, const struct buf *line, size_t width);
