/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 1024 }; /* bytes; less than PIPE_BUF, so that lines never mix */

void log_init(struct logger *log, const char *name)
{
    *log = (struct logger){
        .level = LOG_INFO, .journal = getenv("JOURNAL_STREAM") != NULL, .name = name};
}

static int log_head(const struct logger *log, int level, char *line, size_t size)
{
    if (log->journal)
        return snprintf(line, size, "<%d>", level);
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    return snprintf(line, size, "%02d:%02d:%02d.%03ld %s: ", tm.tm_hour, tm.tm_min, tm.tm_sec,
                    now.tv_nsec / 1000000, log->name);
}

/* stderr may be a file, a pipe or a terminal that somebody else reads slowly. */
static bool log_writable(void)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

void log_line(struct logger *log, int level, const char *fmt, ...)
{
    if (level > log->level)
        return;
    if (!log_writable()) {
        log->dropped++;
        return;
    }
    char line[LOG_LINE_MAX];
    int head = log_head(log, level, line, sizeof(line));
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
    va_end(ap);
    size_t len = (size_t)head + (n > 0 ? (size_t)n : 0);
    if (len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    for (size_t i = (size_t)head; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        log->dropped++;
}
