/* SPDX-License-Identifier: MIT */
/*
 * timeline - rows of time, event, what it was, how long it took.
 */
#include "client/timeline.h"

#include "client/escape.h"
#include "client/outcome.h"
#include "client/row.h"
#include "client/utf8.h"
#include "client/when.h"
#include "proto/unpack.h"

enum {
    TIMELINE_EVENT_WIDTH = 9, /* columns: "submitted", "SUSPENDED" */
    TIMELINE_WHAT_WIDTH = 36, /* columns: durations stand in a line behind them */
};

struct timeline {
    struct buf *out;
    const msgpack_object *task;
    const struct view *view;
    bool dates; /* some time is of another day than now: all are shown in full */
    bool begun; /* the label has been written */
};

/* from, to: the span the state took; to 0: there is none to show. */
static void timeline_row(struct timeline *t, uint64_t at, const char *event, struct buf *what,
                         uint64_t to)
{
    char time[WHEN_MAX];
    char span[WHEN_MAX];
    if (t->dates)
        (void)when_full(time, t->view, at);
    else
        (void)when_clock(time, t->view, at, true);
    size_t width = utf8_width((const char *)what->data, what->len);
    buf_printf(t->out, "  %-10s  %s   ", t->begun ? "" : "timeline", time);
    t->begun = true;
    if (width == 0 && !to) {
        buf_puts(t->out, event);
    } else {
        buf_printf(t->out, "%-*s   ", TIMELINE_EVENT_WIDTH, event);
        buf_append(t->out, what->data, what->len);
    }
    if (to) {
        int pad = width < TIMELINE_WHAT_WIDTH ? (int)(TIMELINE_WHAT_WIDTH - width) : 0;
        buf_printf(t->out, "%*s  %8s", pad, "", when_between(span, at, to));
    }
    buf_puts(t->out, "\n");
    t->out->failed |= what->failed;
    buf_clear(what);
}

/* What the task's body did, as far as is known. */
static void timeline_body(struct timeline *t, struct buf *what, uint64_t started, uint64_t end)
{
    bool done = map_bool(t->task, "done", false);
    uint64_t pid = map_uint(t->task, "pid", 0);
    uint64_t attempt = map_uint(t->task, "attempt", 0);
    uint64_t since = when_read(map_text(t->task, "since"));
    struct bytes state = map_text(t->task, "state");
    bool suspended = bytes_equal(state, "SUSPENDED");
    if (pid)
        buf_printf(what, "process %llu", (unsigned long long)pid);
    if (attempt > 1)
        buf_printf(what, "%sattempt %llu", pid ? ", " : "", (unsigned long long)attempt);
    if (done || !suspended) {
        timeline_row(t, started, done && !pid ? "started" : "RUNNING", what, end);
        return;
    }
    if (since > started)
        timeline_row(t, started, "started", what, 0);
    buf_clear(what);
    row_waiting(what, t->task, t->view);
    timeline_row(t, since > started ? since : started, "SUSPENDED", what, end);
}

static bool timeline_needs_dates(const struct timeline *t, const uint64_t *times, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (times[i] && !when_same_day(t->view, times[i], t->view->now_ns))
            return true;
    }
    return false;
}

static void timeline_rows(struct timeline *t, struct buf *what)
{
    char text[WHEN_MAX];
    uint64_t submitted = when_read(map_text(t->task, "submitted"));
    uint64_t started = when_read(map_text(t->task, "started"));
    uint64_t ended = when_read(map_text(t->task, "ended"));
    uint64_t due = when_read(map_text(t->task, "due"));
    uint64_t client = map_uint(t->task, "client_pid", 0);
    t->dates = timeline_needs_dates(t, (uint64_t[]){submitted, started, ended}, 3);
    uint64_t end = ended ? ended : t->view->now_ns;
    if (submitted) {
        if (client)
            buf_printf(what, "by process %llu", (unsigned long long)client);
        timeline_row(t, submitted, "submitted", what, 0);
        if (due)
            buf_printf(what, "due %s", when_near(text, t->view, due));
        else if (!started && !ended)
            row_waiting(what, t->task, t->view);
        timeline_row(t, submitted, "PENDING", what, started ? started : end);
    }
    if (started)
        timeline_body(t, what, started, end);
    if (ended) {
        struct bytes outcome = map_text(t->task, "outcome");
        escape_text(what, outcome.data, outcome.len);
        if (outcome_is(t->task, "failed")) {
            buf_puts(what, ": ");
            outcome_sentence(what, t->task);
        }
        timeline_row(t, ended, "DONE", what, 0);
    }
}

void timeline_render(struct buf *b, const msgpack_object *task, const struct view *view)
{
    struct timeline t = {.out = b, .task = task, .view = view};
    struct buf what = BUF_INIT;
    timeline_rows(&t, &what);
    buf_done(&what);
}
