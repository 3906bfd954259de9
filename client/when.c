/* SPDX-License-Identifier: MIT */
/*
 * when - RFC 3339 in, local time out.
 */
#include "client/when.h"

#include <stdio.h>
#include <string.h>

#include "base/defs.h"
#include "base/parse.h"

enum { WHEN_DAY_S = 24 * 60 * 60, WHEN_WEEK_S = 7 * WHEN_DAY_S };

uint64_t when_read(struct bytes text)
{
    char copy[WHEN_MAX];
    if (!text.data || text.len >= sizeof(copy))
        return 0;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    uint64_t ns;
    return parse_time(copy, 0, &ns) == 0 ? ns : 0;
}

static struct tm when_local(const struct view *view, uint64_t ns)
{
    time_t seconds = (time_t)(ns / NSEC_PER_SEC);
    struct tm tm = {0};
    (void)view->local(&seconds, &tm);
    return tm;
}

static unsigned when_millis(uint64_t ns)
{
    return (unsigned)(ns % NSEC_PER_SEC / NSEC_PER_MSEC);
}

char *when_clock(char text[WHEN_MAX], const struct view *view, uint64_t ns, bool millis)
{
    struct tm tm = when_local(view, ns);
    size_t n = strftime(text, WHEN_MAX, "%H:%M:%S", &tm);
    if (millis)
        (void)snprintf(text + n, WHEN_MAX - n, ".%03u", when_millis(ns));
    return text;
}

char *when_full(char text[WHEN_MAX], const struct view *view, uint64_t ns)
{
    struct tm tm = when_local(view, ns);
    size_t n = strftime(text, WHEN_MAX, "%Y-%m-%d %H:%M:%S", &tm);
    (void)snprintf(text + n, WHEN_MAX - n, ".%03u", when_millis(ns));
    return text;
}

bool when_same_day(const struct view *view, uint64_t a_ns, uint64_t b_ns)
{
    struct tm a = when_local(view, a_ns);
    struct tm b = when_local(view, b_ns);
    return a.tm_year == b.tm_year && a.tm_yday == b.tm_yday;
}

char *when_near(char text[WHEN_MAX], const struct view *view, uint64_t ns)
{
    if (when_same_day(view, ns, view->now_ns))
        return when_clock(text, view, ns, false);
    uint64_t away = ns > view->now_ns ? ns - view->now_ns : view->now_ns - ns;
    struct tm tm = when_local(view, ns);
    bool near = away < (WHEN_WEEK_S - WHEN_DAY_S) * NSEC_PER_SEC;
    (void)strftime(text, WHEN_MAX, near ? "%a %H:%M" : "%Y-%m-%d %H:%M", &tm);
    return text;
}

char *when_coarse(char text[WHEN_MAX], uint64_t ns, bool space)
{
    static const struct {
        uint64_t seconds;
        const char *brief;
        const char *wide;
    } units[] = {{WHEN_DAY_S, "d", " d"}, {3600, "h", " h"}, {60, "m", " min"}, {1, "s", " s"}};
    uint64_t seconds = ns / NSEC_PER_SEC;
    size_t i = 0;
    while (i + 1 < ARRAY_SIZE(units) && seconds < units[i].seconds)
        i++;
    (void)snprintf(text, WHEN_MAX, "%llu%s", (unsigned long long)(seconds / units[i].seconds),
                   space ? units[i].wide : units[i].brief);
    return text;
}

char *when_between(char text[WHEN_MAX], uint64_t from_ns, uint64_t to_ns)
{
    return format_duration(text, to_ns > from_ns ? to_ns - from_ns : 0);
}
