/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * when - times of the protocol read, and written for people in their own time zone.
 */
#include <stdbool.h>
#include <stdint.h>

#include "client/view.h"
#include "proto/unpack.h"

enum { WHEN_MAX = 48 }; /* bytes of a text, with its NUL; not less than FORMAT_DURATION_MAX */

/* Nanoseconds since 1970 from an RFC 3339 text; 0 for anything else (also for a missing field).
 */
uint64_t when_read(struct bytes text);
/* "23:41:07", with millis "23:41:07.102". */
char *when_clock(char text[WHEN_MAX], const struct view *, uint64_t ns, bool millis);
/* "2025-11-23 23:41:07.102". */
char *when_full(char text[WHEN_MAX], const struct view *, uint64_t ns);
/* As much as is needed to know which one: "23:41:07" today, "Mon 02:00" within a week, else
 * "2025-12-24 02:00". */
char *when_near(char text[WHEN_MAX], const struct view *, uint64_t ns);
/* Whether both are on the same day of the view's time zone. */
bool when_same_day(const struct view *, uint64_t a_ns, uint64_t b_ns);
/* A time that has been, as people type it: "14:00" (the last one), "today", "yesterday", either
 * with " 14:00", "2025-12-24" (its beginning), or a form of parse_time. 0 or -EINVAL. */
int when_past(const char *text, const struct view *, uint64_t *ret_ns);
/* When this day began. */
uint64_t when_midnight(const struct view *);
/* One unit, rounded down: "9m", "6d"; space puts a blank before the unit. */
char *when_coarse(char text[WHEN_MAX], uint64_t ns, bool space);
/* From one time to the other, two units; 0 when they are the wrong way round. */
char *when_between(char text[WHEN_MAX], uint64_t from_ns, uint64_t to_ns);
