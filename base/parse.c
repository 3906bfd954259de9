/* SPDX-License-Identifier: MIT */
/*
 * parse - numbers, sizes, durations and times: each reader walks the text once with a cursor
 * that its helpers move on. A text that is not of the form is -EINVAL even where it is also too
 * large, so helpers saturate and the range is judged at the end.
 */
#include "base/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/defs.h"

enum {
    PARSE_FRACTION_DIGITS = 18, /* that count; 10^18 fits into 64 bits */
    PARSE_NEXT_DAYS = 8,        /* clocks leap over a given hour at most once a year */
};
/* Times are kept as int64 nanoseconds elsewhere: the year 2262. */
#define PARSE_TIME_MAX_SEC ((int64_t)(INT64_MAX / (int64_t)NSEC_PER_SEC))

static bool parse_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads one digit or more; too large a number is UINT64_MAX and sets *over. */
static bool parse_digits(const char **at, uint64_t *ret, bool *over)
{
    const char *p = *at;
    uint64_t n = 0;
    for (; parse_is_digit(*p); p++) {
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n)) {
            *over = true;
            n = UINT64_MAX;
        }
    }
    if (p == *at)
        return false;
    *at = p;
    *ret = *over ? UINT64_MAX : n;
    return true;
}

/* Reads ".digits", where one stands, as that fraction of unit, rounded down; else *ret is 0. */
static bool parse_fraction(const char **at, uint64_t unit, uint64_t *ret)
{
    *ret = 0;
    if (**at != '.')
        return true;
    const char *p = *at + 1;
    if (!parse_is_digit(*p))
        return false;
    uint64_t n = 0, scale = 1;
    for (int i = 0; parse_is_digit(*p); p++, i++) {
        if (i >= PARSE_FRACTION_DIGITS)
            continue;
        n = n * 10 + (uint64_t)(*p - '0');
        scale *= 10;
    }
    *at = p;
    *ret = (uint64_t)((unsigned __int128)n * unit / scale);
    return true;
}

int parse_u64(const char *text, uint64_t *ret)
{
    uint64_t n;
    bool over = false;
    if (!parse_digits(&text, &n, &over) || *text)
        return -EINVAL;
    if (over)
        return -ERANGE;
    *ret = n;
    return 0;
}

/* ---- durations ---- */

static const struct parse_unit {
    const char *name;
    uint64_t ns;
} parse_units[] = {
    /* largest first */
    {"w", 7 * 24 * 3600 * NSEC_PER_SEC},
    {"d", 24 * 3600 * NSEC_PER_SEC},
    {"h", 3600 * NSEC_PER_SEC},
    {"m", 60 * NSEC_PER_SEC},
    {"s", NSEC_PER_SEC},
    {"ms", NSEC_PER_MSEC},
};
enum { PARSE_UNIT_SECOND = 4 }; /* its index */

/* The unit whose name stands at *at, or NULL. */
static const struct parse_unit *parse_unit_find(const char **at)
{
    size_t len = 0;
    while ((*at)[len] >= 'a' && (*at)[len] <= 'z')
        len++;
    for (size_t i = 0; i < ARRAY_SIZE(parse_units); i++) {
        if (strlen(parse_units[i].name) == len && !memcmp(*at, parse_units[i].name, len)) {
            *at += len;
            return &parse_units[i];
        }
    }
    return NULL;
}

/* Reads one "NUMBER[UNIT]", whose unit has to be smaller than *unit, which becomes it, and adds
 * it to *sum, which saturates. Only the last number may have a fraction; a number without a
 * unit has to be the whole text. */
static bool parse_duration_part(const char **at, const struct parse_unit **unit, uint64_t *sum)
{
    const char *p = *at;
    uint64_t whole = 0, fraction;
    bool over = false;
    parse_digits(&p, &whole, &over);
    const char *point = p;
    if (!parse_fraction(&p, 0, &fraction) || p == *at)
        return false;
    bool fractional = p != point;
    const struct parse_unit *u = NULL;
    if (*p)
        u = parse_unit_find(&p);
    else if (!*unit)
        u = &parse_units[PARSE_UNIT_SECOND];
    if (!u || (*unit && u <= *unit) || (fractional && *p))
        return false;
    parse_fraction(&point, u->ns, &fraction);
    if (__builtin_mul_overflow(whole, u->ns, &whole) ||
        __builtin_add_overflow(*sum, whole, sum) || __builtin_add_overflow(*sum, fraction, sum))
        *sum = UINT64_MAX;
    *unit = u;
    *at = p;
    return true;
}

int parse_duration(const char *text, uint64_t *ret_ns)
{
    const struct parse_unit *unit = NULL;
    uint64_t sum = 0;
    do {
        if (!parse_duration_part(&text, &unit, &sum))
            return -EINVAL;
    } while (*text);
    if (sum > PARSE_DURATION_MAX_NS)
        return -ERANGE;
    *ret_ns = sum;
    return 0;
}

/* ---- sizes ---- */

int parse_size(const char *text, uint64_t *ret_bytes)
{
    static const char letters[] = "KMGT";
    uint64_t n;
    bool over = false;
    if (!parse_digits(&text, &n, &over))
        return -EINVAL;
    unsigned shift = 0;
    if (*text) {
        const char *letter = strchr(letters, *text);
        if (!letter)
            return -EINVAL;
        shift = 10u * (unsigned)(letter - letters + 1);
        if (text[1] && strcmp(text + 1, "iB") != 0)
            return -EINVAL;
    }
    if (over || n > UINT64_MAX >> shift)
        return -ERANGE;
    *ret_bytes = n << shift;
    return 0;
}

/* ---- times ---- */

/* Reads exactly n digits as a number of min to max. */
static bool parse_fixed(const char **at, int n, int min, int max, int *ret)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!parse_is_digit((*at)[i]))
            return false;
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += n;
    *ret = value;
    return value >= min && value <= max;
}

static bool parse_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

/* "HH:MM[:SS]" into tm. */
static bool parse_clock(const char **at, struct tm *tm)
{
    tm->tm_sec = 0;
    if (!parse_fixed(at, 2, 0, 23, &tm->tm_hour) || !parse_char(at, ':') ||
        !parse_fixed(at, 2, 0, 59, &tm->tm_min))
        return false;
    return !parse_char(at, ':') || parse_fixed(at, 2, 0, 59, &tm->tm_sec);
}

static int parse_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* "YYYY-MM-DD" into tm. */
static bool parse_date(const char **at, struct tm *tm)
{
    int year, month;
    if (!parse_fixed(at, 4, 0, 9999, &year) || !parse_char(at, '-') ||
        !parse_fixed(at, 2, 1, 12, &month) || !parse_char(at, '-') ||
        !parse_fixed(at, 2, 1, parse_month_days(year, month), &tm->tm_mday))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    return true;
}

/* The first moment after `after` at which the local clocks show tm, if there is one. Summer
 * time makes some moments appear twice and some never; mktime(3) alone would shift those. */
static bool parse_local(const struct tm *tm, int64_t after, int64_t *ret)
{
    bool found = false;
    for (int isdst = -1; isdst <= 1; isdst++) {
        struct tm t = *tm;
        t.tm_isdst = isdst;
        int64_t sec = mktime(&t);
        if (sec <= after || t.tm_mday != tm->tm_mday || t.tm_hour != tm->tm_hour ||
            t.tm_min != tm->tm_min || t.tm_sec != tm->tm_sec || (found && sec >= *ret))
            continue;
        *ret = sec;
        found = true;
    }
    return found;
}

/* The date `days` after the one of now, into the date of tm. */
static bool parse_day_after(time_t now, int days, struct tm *tm)
{
    struct tm day;
    if (!localtime_r(&now, &day))
        return false;
    day.tm_mday += days;
    day.tm_hour = 12; /* there is a noon on every day */
    day.tm_isdst = -1;
    if (mktime(&day) == -1)
        return false;
    tm->tm_year = day.tm_year;
    tm->tm_mon = day.tm_mon;
    tm->tm_mday = day.tm_mday;
    return true;
}

static int parse_time_of_day(const struct tm *clock, time_t now, int64_t *ret)
{
    for (int days = 0; days < PARSE_NEXT_DAYS; days++) {
        struct tm tm = *clock;
        if (!parse_day_after(now, days, &tm))
            return -ERANGE;
        if (parse_local(&tm, now, ret))
            return 0;
    }
    return -EINVAL;
}

static int parse_tomorrow(const char *text, time_t now, int64_t *ret)
{
    struct tm tm = {0};
    if (!parse_clock(&text, &tm) || *text)
        return -EINVAL;
    if (!parse_day_after(now, 1, &tm))
        return -ERANGE;
    return parse_local(&tm, now, ret) ? 0 : -EINVAL;
}

/* "Z" or "+HH:MM" into the seconds that the clock is ahead of UTC. */
static bool parse_zone(const char **at, int *ret)
{
    int hours, minutes;
    *ret = 0;
    if (parse_char(at, 'Z'))
        return true;
    int sign = **at == '-' ? -1 : 1;
    if (!parse_char(at, '-') && !parse_char(at, '+'))
        return false;
    if (!parse_fixed(at, 2, 0, 23, &hours) || !parse_char(at, ':') ||
        !parse_fixed(at, 2, 0, 59, &minutes))
        return false;
    *ret = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* "YYYY-MM-DD[ T]HH:MM[:SS[.FRACTION]][ZONE]", so that every RFC 3339 text is read. */
static int parse_date_time(const char *text, int64_t *ret, uint64_t *ret_fraction)
{
    struct tm tm = {0};
    if (!parse_date(&text, &tm) || (!parse_char(&text, 'T') && !parse_char(&text, ' ')))
        return -EINVAL;
    const char *clock = text;
    if (!parse_clock(&text, &tm))
        return -EINVAL;
    bool seconds = text - clock > 5; /* else a fraction would be one of a minute */
    if (seconds && !parse_fraction(&text, NSEC_PER_SEC, ret_fraction))
        return -EINVAL;
    if (!*text)
        return parse_local(&tm, INT64_MIN, ret) ? 0 : -EINVAL;
    int ahead;
    if (!parse_zone(&text, &ahead) || *text)
        return -EINVAL;
    *ret = timegm(&tm) - ahead;
    return 0;
}

int parse_time(const char *text, time_t now, uint64_t *ret_ns)
{
    int64_t sec = 0;
    uint64_t fraction = 0, n = 0;
    struct tm clock = {0};
    const char *end = text;
    int r;
    tzset();
    if (*text == '@') {
        r = parse_u64(text + 1, &n);
        sec = n > PARSE_TIME_MAX_SEC ? INT64_MAX : (int64_t)n;
    } else if (!strncmp(text, "tomorrow ", 9)) {
        r = parse_tomorrow(text + 9, now, &sec);
    } else if (parse_clock(&end, &clock) && !*end) {
        r = parse_time_of_day(&clock, now, &sec);
    } else {
        r = parse_date_time(text, &sec, &fraction);
    }
    if (r < 0)
        return r;
    if (sec < 0 || sec >= PARSE_TIME_MAX_SEC)
        return -ERANGE;
    *ret_ns = (uint64_t)sec * NSEC_PER_SEC + fraction;
    return 0;
}

/* ---- printing ---- */

char *format_duration(char text[FORMAT_DURATION_MAX], uint64_t ns)
{
    unsigned long long ms = ns / NSEC_PER_MSEC, s = ms / 1000, m = s / 60, h = m / 60;
    if (s == 0)
        snprintf(text, FORMAT_DURATION_MAX, "%llums", ms);
    else if (m == 0)
        snprintf(text, FORMAT_DURATION_MAX, "%llus", s);
    else if (h == 0)
        snprintf(text, FORMAT_DURATION_MAX, "%llum%02llus", m, s % 60);
    else if (h < 24)
        snprintf(text, FORMAT_DURATION_MAX, "%lluh%02llum", h, m % 60);
    else
        snprintf(text, FORMAT_DURATION_MAX, "%llud%02lluh", h / 24, h % 24);
    return text;
}

/* Rounds down, so that no more is claimed than there is and "1024 KiB" can't appear. */
char *format_size(char text[FORMAT_SIZE_MAX], uint64_t bytes)
{
    static const char letters[] = "KMGTPE";
    unsigned shift = 0;
    while (shift < 60 && bytes >> shift >= 1024)
        shift += 10;
    unsigned long long whole = bytes >> shift;
    if (shift == 0) {
        snprintf(text, FORMAT_SIZE_MAX, "%llu B", whole);
        return text;
    }
    char letter = letters[shift / 10 - 1];
    uint64_t rest = bytes - (whole << shift);
    if (whole < 10)
        snprintf(text, FORMAT_SIZE_MAX, "%llu.%llu %ciB", whole,
                 (unsigned long long)(rest * 10 >> shift), letter);
    else
        snprintf(text, FORMAT_SIZE_MAX, "%llu %ciB", whole, letter);
    return text;
}
