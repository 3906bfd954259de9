/* SPDX-License-Identifier: MIT */
/*
 * when - RFC 3339 in, local time out.
 */
#include "client/when.h"

#include <errno.h>
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

/* That clock on the day so many days before now; an empty clock is the day's beginning. */
static int when_on_day(const struct view *view, int days_ago, const char *clock,
                       uint64_t *ret_ns)
{
    char date[WHEN_MAX];
    char text[WHEN_MAX * 3];
    struct tm tm = when_local(view, view->now_ns);
    tm.tm_mday -= days_ago;
    tm.tm_hour = 12; /* there is a noon on every day */
    tm.tm_isdst = -1;
    if (mktime(&tm) == -1)
        return -EINVAL;
    (void)strftime(date, sizeof(date), "%Y-%m-%d", &tm);
    (void)snprintf(text, sizeof(text), "%s %.*s", date, WHEN_MAX, clock[0] ? clock : "00:00");
    int r = parse_time(text, 0, ret_ns);
    if (r == 0 || clock[0])
        return r == 0 ? 0 : -EINVAL;
    (void)snprintf(text, sizeof(text), "%s 01:00", date); /* summer time began at midnight */
    return parse_time(text, 0, ret_ns) == 0 ? 0 : -EINVAL;
}

uint64_t when_midnight(const struct view *view)
{
    uint64_t ns = 0;
    return when_on_day(view, 0, "", &ns) == 0 ? ns : 0;
}

int when_past(const char *text, const struct view *view, uint64_t *ret_ns)
{
    static const char *const days[] = {"today", "yesterday"};
    for (int i = 0; i < 2; i++) {
        size_t len = strlen(days[i]);
        if (strncmp(text, days[i], len) == 0 && (!text[len] || text[len] == ' '))
            return when_on_day(view, i, text + len + (text[len] == ' '), ret_ns);
    }
    if (strncmp(text, "tomorrow", 8) == 0)
        return -EINVAL;
    if (text[0] && text[1] && text[2] == ':') { /* the last such time, not the next */
        int r = when_on_day(view, 0, text, ret_ns);
        if (r == 0 && *ret_ns > view->now_ns)
            r = when_on_day(view, 1, text, ret_ns);
        return r;
    }
    char day[WHEN_MAX];
    if (strlen(text) == strlen("2025-12-24")) {
        (void)snprintf(day, sizeof(day), "%s 00:00", text);
        text = day;
    }
    return parse_time(text, (time_t)(view->now_ns / NSEC_PER_SEC), ret_ns) == 0 ? 0 : -EINVAL;
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
