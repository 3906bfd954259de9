/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * view - what a text for people depends on beside its data: the time, the terminal, the time
 * zone.
 *
 * Renderers are pure: they get a view, and tests give them a fixed one.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct view {
    uint64_t now_ns; /* since 1970 */
    unsigned width;  /* columns of the terminal; 0: nothing is cut */
    bool color;      /* SGR sequences may be used */
    /* The name of a user, borrowed until the next call; NULL (the function or its result):
     * shown by number. */
    const char *(*user_name)(uint32_t uid);
    struct tm *(*local)(const time_t *, struct tm *); /* localtime_r, or gmtime_r for UTC */
};
