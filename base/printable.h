/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * printable - what may stand in a name, a log line or on a terminal as it is.
 *
 * Not: bytes that are not UTF-8, control characters (C0, DEL, C1), line and paragraph separators,
 * and what changes the direction of the text around it (U+202A to U+202E, U+2066 to U+2069).
 */
#include <stdbool.h>
#include <stddef.h>

/* Is the whole text printable? */
bool printable_check(const char *text, size_t len);
/* Puts a "?" in the place of each byte of what is not. */
void printable_force(char *text, size_t len);
