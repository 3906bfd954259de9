/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * log - one line an event on stderr, for a person or for the journal.
 *
 * Only the top layers log (daemon, control, service, spawner's main); the others
 * return errors. Where stderr is the journal (JOURNAL_STREAM) lines carry sd-daemon(3)'s
 * <N> prefix, else a time. A line that cannot be written at once is dropped, and the next one
 * that can says how many: a slow journal never holds the loop. What is not printable (base/printable.h)
 * becomes "?": nothing that a user chose is a line of its own or moves the cursor.
 */
#include <stdbool.h>

struct logger {
    int level;        /* syslog(3) level: lines above it are left out; LOG_INFO */
    bool journal;     /* write <N> prefixes instead of times */
    const char *name; /* borrowed: "aiod" */
    unsigned dropped; /* lines that did not fit into the pipe, since that was last said */
};

void log_init(struct logger *log, const char *name);
void log_line(struct logger *log, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(log, ...)   log_line(log, 3, __VA_ARGS__)
#define log_warning(log, ...) log_line(log, 4, __VA_ARGS__)
#define log_notice(log, ...)  log_line(log, 5, __VA_ARGS__)
#define log_info(log, ...)    log_line(log, 6, __VA_ARGS__)
#define log_debug(log, ...)   log_line(log, 7, __VA_ARGS__)
