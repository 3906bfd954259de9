/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * parse - strict reading of numbers, sizes, durations and times that people type,
 * and their printing.
 *
 * Strict: the whole text must be used, overflow is an error, nothing is guessed.
 * All return 0, -EINVAL (not of the form) or -ERANGE; *ret is untouched on failure.
 */
#include <stddef.h>
#include <stdint.h>
#include <time.h>

int parse_u64(const char *text, uint64_t *ret); /* decimal digits only */
/* "0", "90", "1.5", "250ms", "10s", "5m", "2h", "1d", "1w", "1h30m"; a bare number is seconds.
 * Units get smaller from left to right, only the last number may have a fraction. At most
 * PARSE_DURATION_MAX_NS. */
int parse_duration(const char *text, uint64_t *ret_ns);
/* "512", "64K", "64KiB", "1M", "2G", "1T" (powers of 1024), in bytes. */
int parse_size(const char *text, uint64_t *ret_bytes);
/* "HH:MM[:SS]" (the next such time after now), "YYYY-MM-DD[ T]HH:MM[:SS]" (local), the latter
 * with "Z" or "+HH:MM" behind it (seconds may have a fraction there: RFC 3339), "@SECONDS",
 * "tomorrow HH:MM[:SS]". A local time that summer time skips is -EINVAL, of one that comes
 * twice the first is meant. From 1970 to 2262. ret_ns: nanoseconds since 1970. Calls tzset(3).
 */
int parse_time(const char *text, time_t now, uint64_t *ret_ns);

#define PARSE_DURATION_MAX_NS (UINT64_C(100) * 366 * 24 * 3600 * 1000000000) /* a century */

/* "850ms", "3s", "1m12s", "2h39m", "6d04h": two units at most, rounded
 * down. Returns text. */
enum { FORMAT_DURATION_MAX = 32 };
char *format_duration(char text[FORMAT_DURATION_MAX], uint64_t ns);
/* "812 B", "2.1 KiB", "41 MiB", rounded down. Returns text. */
enum { FORMAT_SIZE_MAX = 32 };
char *format_size(char text[FORMAT_SIZE_MAX], uint64_t bytes);
