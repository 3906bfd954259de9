/* SPDX-License-Identifier: MIT */
/*
 * header - the daemon's own state in two lines.
 */
#include "client/header.h"

#include <string.h>

#include "base/defs.h"
#include "client/escape.h"
#include "client/utf8.h"
#include "client/when.h"
#include "proto/unpack.h"

static void header_whose(struct buf *b, const msgpack_object *hello, const msgpack_object *loop,
                         const struct view *view)
{
    if (map_bool(hello, "system", false)) {
        buf_puts(b, "the system's instance");
        return;
    }
    uint32_t owner = (uint32_t)map_uint(loop, "owner", 0);
    const char *name = view->user_name ? view->user_name(owner) : NULL;
    if (!map_get(loop, "owner")) {
        buf_puts(b, "your instance");
    } else if (name) {
        escape_text(b, name, strlen(name));
        buf_puts(b, "'s instance");
    } else {
        buf_printf(b, "uid %u's instance", owner);
    }
}

/* " · 3 of 7 slots" over all groups. */
static void header_slots(struct buf *b, const msgpack_object *groups)
{
    if (!groups || groups->type != MSGPACK_OBJECT_ARRAY || groups->via.array.size == 0)
        return;
    uint64_t slots = 0;
    uint64_t held = 0;
    for (uint32_t i = 0; i < groups->via.array.size; i++) {
        slots += map_uint(&groups->via.array.ptr[i], "slots", 0);
        held += map_uint(&groups->via.array.ptr[i], "held", 0);
    }
    buf_printf(b, " · %llu of %llu slots", (unsigned long long)held, (unsigned long long)slots);
}

/* The clock at the right edge, or two blanks behind the line where there is no edge. */
static void header_clock(struct buf *b, size_t width, const struct view *view)
{
    char clock[WHEN_MAX];
    char day[WHEN_MAX];
    time_t seconds = (time_t)(view->now_ns / NSEC_PER_SEC);
    struct tm tm = {0};
    (void)view->local(&seconds, &tm);
    (void)strftime(day, sizeof(day), "%a ", &tm);
    (void)when_clock(clock, view, view->now_ns, false);
    size_t text = strlen(day) + strlen(clock);
    size_t pad = view->width > width + text + 2 ? view->width - width - text : 2;
    buf_printf(b, "%*s%s%s\n", (int)pad, "", day, clock);
}

/* The clock goes first where the terminal is narrow, then the end of the line. */
static void header_fit(struct buf *b, const char *line, size_t len, const struct view *view)
{
    enum { CLOCK_WIDTH = 2 + 12 }; /* "  Sun 23:41:07" */
    size_t width = utf8_width(line, len);
    if (view->width == 0 || width + CLOCK_WIDTH <= view->width) {
        buf_append(b, line, len);
        header_clock(b, width, view);
        return;
    }
    (void)utf8_cut(b, line, len, view->width);
    buf_puts(b, "\n");
}

static void header_count(struct buf *b, uint64_t n, const char *what, const char *before)
{
    if (n > 0)
        buf_printf(b, "%s%llu %s", before, (unsigned long long)n, what);
}

static const char *header_dot(const struct buf *b, size_t start)
{
    return b->len > start ? " · " : "";
}

/* "109 DONE: 107 ok 1 failed 1 cancelled" */
static void header_ended(struct buf *b, uint64_t ok, uint64_t failed, uint64_t cancelled)
{
    uint64_t all = ok + failed + cancelled;
    buf_printf(b, "%llu DONE%s", (unsigned long long)all, all ? ":" : "");
    header_count(b, ok, "ok", " ");
    header_count(b, failed, "failed", " ");
    header_count(b, cancelled, "cancelled", " ");
}

static uint64_t header_all_done(const msgpack_object *counts)
{
    return map_uint(counts, "ok", 0) + map_uint(counts, "failed", 0) +
           map_uint(counts, "cancelled", 0);
}

void header_counts(struct buf *b, const msgpack_object *counts,
                   const struct header_today *today)
{
    size_t start = b->len;
    uint64_t all = header_all_done(counts);
    header_count(b, map_uint(counts, "running", 0), "RUNNING", "");
    header_count(b, map_uint(counts, "suspended", 0), "SUSPENDED", header_dot(b, start));
    header_count(b, map_uint(counts, "pending", 0), "PENDING", header_dot(b, start));
    if (all > 0 && today) {
        buf_printf(b, "%stoday ", header_dot(b, start));
        header_ended(b, today->ok, today->failed, today->cancelled);
        if (all > today->ok + today->failed + today->cancelled)
            buf_printf(b, " (%llu in all)", (unsigned long long)all);
    } else if (all > 0) {
        buf_puts(b, header_dot(b, start));
        header_ended(b, map_uint(counts, "ok", 0), map_uint(counts, "failed", 0),
                     map_uint(counts, "cancelled", 0));
    }
    if (b->len == start)
        buf_puts(b, "no tasks");
}

void header_render(struct buf *b, const msgpack_object *hello, const msgpack_object *status,
                   const struct header_today *today, const struct view *view)
{
    struct buf line = BUF_INIT;
    char text[WHEN_MAX];
    const msgpack_object *loop = map_get(status, "loop");
    buf_puts(&line, "aiod · ");
    header_whose(&line, hello, loop, view);
    /* status is answered by a callback of the loop, so no task's step can be on it now */
    buf_printf(&line, " · on the loop: nobody, %.1f %% busy",
               100.0 * map_number(loop, "busy", 0.0));
    double up_s = map_number(loop, "up_s", 0.0);
    buf_printf(&line, " · up %s",
               when_coarse(text, up_s > 0 ? (uint64_t)(up_s * (double)NSEC_PER_SEC) : 0, true));
    header_slots(&line, map_get(status, "groups"));
    if (buf_ok(&line))
        header_fit(b, (const char *)line.data, line.len, view);
    b->failed |= line.failed;
    buf_clear(&line);
    header_counts(&line, map_get(status, "counts"), today);
    utf8_line(b, &line, view->width);
    buf_done(&line);
}

static void header_more(struct buf *b, uint64_t all, uint64_t shown, const char *what,
                        const char *options)
{
    if (all > shown)
        buf_printf(b, "%llu more %s: aioctl status %s\n", (unsigned long long)(all - shown),
                   what, options);
}

void header_footer(struct buf *b, const msgpack_object *counts,
                   const struct header_today *today, const struct header_shown *shown)
{
    uint64_t ended = today ? today->ok + today->failed + today->cancelled : 0;
    header_more(b, map_uint(counts, "running", 0) + map_uint(counts, "suspended", 0),
                shown->live, "RUNNING or SUSPENDED", "--state running,suspended --all");
    header_more(b, map_uint(counts, "pending", 0), shown->pending, "PENDING",
                "--state pending --all");
    if (today && ended > today->shown)
        header_more(b, ended, today->shown, "DONE today", "--done --since today");
    else
        header_more(b, header_all_done(counts), shown->done, "DONE", "--done");
}
