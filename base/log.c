/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/printable.h"

enum { LOG_LINE_MAX = 1024 }; /* bytes; less than PIPE_BUF, so that lines never mix */

/* systemd.exec(5): JOURNAL_STREAM names the device and inode of the journal's socket; whatever was
 * started with another stderr has inherited it only. */
static bool log_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_init(struct logger *log, const char *name)
{
    *log = (struct logger){.level = LOG_INFO, .journal = log_is_journal(), .name = name};
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

static void log_write(struct logger *log, int level, const char *fmt, va_list ap)
{
    char line[LOG_LINE_MAX];
    int head = log_head(log, level, line, sizeof(line));
    int n = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
    size_t len = (size_t)head + (n > 0 ? (size_t)n : 0);
    if (len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    printable_force(line + head, len - (size_t)head);
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        log->dropped++;
}

static void log_lost(struct logger *log, const char *fmt, ...)
{
    va_list ap;
    log->dropped = 0;
    va_start(ap, fmt);
    log_write(log, LOG_WARNING, fmt, ap);
    va_end(ap);
}

void log_line(struct logger *log, int level, const char *fmt, ...)
{
    if (level > log->level)
        return;
    if (!log_writable()) {
        log->dropped++;
        return;
    }
    if (log->dropped)
        log_lost(log, "%u lines are missing here: what reads this log was too slow",
                 log->dropped);
    va_list ap;
    va_start(ap, fmt);
    log_write(log, level, fmt, ap);
    va_end(ap);
}
