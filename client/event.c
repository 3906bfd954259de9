/* SPDX-License-Identifier: MIT */
/*
 * event - read, derived, written.
 */
#include "client/event.h"

#include <string.h>

#include "base/defs.h"
#include "client/escape.h"
#include "client/json.h"
#include "client/outcome.h"
#include "client/row.h"
#include "client/utf8.h"
#include "client/when.h"
#include "proto/pack.h"

enum {
    EVENT_ID_WIDTH = 5,      /* columns */
    EVENT_CHANGE_WIDTH = 24, /* "RUNNING → DONE cancelled" */
    EVENT_WHAT_WIDTH = 14,   /* what follows stands in a line behind most */
};

static struct bytes event_text(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

/* ---- reading ---- */

static enum event_kind event_state_kind(const struct event *e)
{
    if (!e->was.data)
        return EVENT_NEW;
    if (bytes_equal(e->state, "DONE"))
        return EVENT_ENDED;
    if (e->state.len == e->was.len && memcmp(e->state.data, e->was.data, e->was.len) == 0)
        return map_get(e->task, "cancel") ? EVENT_CANCEL : EVENT_CHANGED;
    return bytes_equal(e->was, "PENDING") ? EVENT_STARTED : EVENT_CHANGED;
}

struct event event_read(const msgpack_object *params)
{
    static const struct {
        const char *what;
        enum event_kind kind;
    } kinds[] = {{"removed", EVENT_REMOVED},
                 {"group", EVENT_GROUP},
                 {"lost", EVENT_LOST},
                 {"ready", EVENT_READY},
                 {"cancel", EVENT_CANCEL}};
    struct event e = {
        .kind = EVENT_OTHER,
        .time_ns = when_read(map_text(params, "time")),
        .id = map_uint(params, "id", 0),
        .what = map_text(params, "what"),
        .state = map_text(params, "state"),
        .was = map_text(params, "was"),
        .task = map_get(params, "task"),
        .group = map_get(params, "group"),
        .count = map_uint(params, "count", 0),
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (bytes_equal(e.what, kinds[i].what))
            e.kind = kinds[i].kind;
    }
    if (bytes_equal(e.what, "state") && e.state.data)
        e.kind = event_state_kind(&e);
    return e;
}

/* ---- from times ---- */

/* What it was in when it ended; unknown of functions that may suspend. */
static struct bytes event_before_end(const msgpack_object *task)
{
    if (!map_get(task, "started"))
        return event_text("PENDING");
    bool exec = bytes_equal(map_text(task, "function"), "exec");
    return exec ? event_text("RUNNING") : (struct bytes){NULL, 0};
}

static struct bytes event_after_start(const msgpack_object *task)
{
    struct bytes state = map_text(task, "state");
    uint64_t since = when_read(map_text(task, "since"));
    bool still = since && since == when_read(map_text(task, "started"));
    return bytes_equal(state, "SUSPENDED") && still ? state : event_text("RUNNING");
}

size_t event_past(struct event ret[EVENT_PAST_MAX], const msgpack_object *task)
{
    const struct event all[EVENT_PAST_MAX] = {
        {.kind = EVENT_NEW,
         .time_ns = when_read(map_text(task, "submitted")),
         .what = event_text("state"),
         .state = event_text("PENDING")},
        {.kind = EVENT_STARTED,
         .time_ns = when_read(map_text(task, "started")),
         .what = event_text("state"),
         .state = event_after_start(task),
         .was = event_text("PENDING")},
        {.kind = EVENT_CANCEL,
         .time_ns = when_read(map_text(map_get(task, "cancel"), "at")),
         .what = event_text("cancel")},
        {.kind = EVENT_ENDED,
         .time_ns = when_read(map_text(task, "ended")),
         .what = event_text("state"),
         .state = event_text("DONE"),
         .was = event_before_end(task)},
    };
    size_t n = 0;
    for (size_t i = 0; i < EVENT_PAST_MAX; i++) {
        if (!all[i].time_ns)
            continue;
        ret[n] = all[i];
        ret[n].id = map_uint(task, "id", 0);
        ret[n].task = task;
        ret[n++].past = true;
    }
    return n;
}

/* ---- as a line ---- */

static void event_put(struct buf *b, struct bytes text)
{
    if (text.data)
        escape_text(b, text.data, text.len);
}

/* "PENDING → RUNNING" */
static void event_change(struct buf *b, const struct event *e)
{
    if (e->kind == EVENT_CANCEL) {
        buf_puts(b, "asked to end");
        return;
    }
    if (!e->state.data) {
        event_put(b, e->what);
        return;
    }
    event_put(b, e->was);
    buf_puts(b, e->was.data ? " → " : "");
    event_put(b, e->state);
    struct bytes outcome = map_text(e->task, "outcome");
    if (e->kind != EVENT_ENDED || !outcome.data)
        return;
    buf_puts(b, " ");
    event_put(b, outcome);
}

/* "by ana" */
static void event_by(struct buf *b, const msgpack_object *cancel, const struct view *view)
{
    if (!map_get(cancel, "uid"))
        return;
    buf_puts(b, "by ");
    row_user(b, cancel, view);
}

static void event_group(struct buf *b, const msgpack_object *group)
{
    event_put(b, map_text(group, "name"));
    if (map_get(group, "slots"))
        buf_printf(b, ", %llu slots", (unsigned long long)map_uint(group, "slots", 0));
    if (map_bool(group, "paused", false))
        buf_puts(b, ", paused");
}

/* What it awaits, how it ended, who asked. A past event knows the task as it is now only. */
static void event_what(struct buf *b, const struct event *e, const struct view *view)
{
    struct bytes now = map_text(e->task, "state");
    bool still = e->state.data && now.len == e->state.len && now.data &&
                 memcmp(now.data, e->state.data, now.len) == 0;
    unsigned long long of = map_uint(e->task, "retry_of", 0);
    unsigned long long pid = map_uint(e->task, "pid", 0);
    if (e->kind == EVENT_LOST)
        buf_printf(b, "%llu events: they came faster than they were read",
                   (unsigned long long)e->count);
    else if (e->kind == EVENT_GROUP)
        event_group(b, e->group);
    else if (e->kind == EVENT_CANCEL)
        event_by(b, map_get(e->task, "cancel"), view);
    else if (e->kind == EVENT_ENDED)
        row_awaits(b, e->task, view);
    else if (e->kind == EVENT_NEW && of)
        buf_printf(b, "retry of %llu", of);
    else if (e->kind == EVENT_STARTED && pid)
        buf_printf(b, "process %llu", pid);
    else if (still)
        row_waiting(b, e->task, view);
}

/* Appends the text, filled up with blanks to so many columns and two more. */
static void event_column(struct buf *b, struct buf *text, size_t width)
{
    size_t used = utf8_width((const char *)text->data, text->len);
    buf_append(b, text->data, text->len);
    buf_printf(b, "%*s", (int)(used < width ? width - used + 2 : 2), "");
    b->failed |= text->failed;
    buf_clear(text);
}

static void event_time(struct buf *b, uint64_t ns, const struct view *view)
{
    char text[WHEN_MAX];
    if (when_same_day(view, ns, view->now_ns))
        (void)when_clock(text, view, ns, true);
    else
        (void)when_full(text, view, ns);
    buf_printf(b, "%s  ", text);
}

/* The part of a line behind the change. */
static void event_rest(struct buf *b, const struct event *e, const struct view *view)
{
    struct buf text = BUF_INIT;
    event_what(&text, e, view);
    event_column(b, &text, EVENT_WHAT_WIDTH);
    if (e->task)
        row_title(b, e->task);
    while (b->len > 0 && b->data[b->len - 1] == ' ')
        b->len--;
    buf_done(&text);
}

void event_line(struct buf *b, const struct event *e, const struct view *view)
{
    struct buf line = BUF_INIT;
    struct buf text = BUF_INIT;
    event_time(&line, e->time_ns, view);
    if (e->id)
        buf_printf(&line, "%*llu  ", EVENT_ID_WIDTH, (unsigned long long)e->id);
    else
        buf_printf(&line, "%*s  ", EVENT_ID_WIDTH, "");
    event_change(&text, e);
    event_column(&line, &text, EVENT_CHANGE_WIDTH);
    event_rest(&line, e, view);
    utf8_line(b, &line, view->width);
    buf_done(&line);
    buf_done(&text);
}

/* ---- as JSON ---- */

static void event_json_text(struct buf *b, const char *key, struct bytes text)
{
    buf_printf(b, ",\"%s\":", key);
    json_write_text(b, text.data, text.len);
}

static void event_json_time(struct buf *b, uint64_t ns)
{
    struct buf packed = BUF_INIT;
    struct unpacked unpacked = UNPACKED_INIT;
    pack_time(&packed, ns);
    buf_puts(b, "{\"time\":");
    if (buf_ok(&packed) && unpack(&unpacked, packed.data, packed.len) == 0)
        json_write(b, &unpacked.root);
    else
        b->failed = true;
    unpacked_done(&unpacked);
    buf_done(&packed);
}

void event_json(struct buf *b, const struct event *e)
{
    bool state = bytes_equal(e->what, "state");
    event_json_time(b, e->time_ns);
    if (e->what.data)
        event_json_text(b, "what", e->what);
    if (e->id)
        buf_printf(b, ",\"id\":%llu", (unsigned long long)e->id);
    if (e->state.data)
        event_json_text(b, "state", e->state);
    if (state && e->was.data)
        event_json_text(b, "was", e->was);
    else if (state)
        buf_puts(b, ",\"was\":null");
    if (e->kind == EVENT_LOST)
        buf_printf(b, ",\"count\":%llu", (unsigned long long)e->count);
    if (e->past)
        buf_puts(b, ",\"past\":true");
    if (e->task) {
        buf_puts(b, ",\"task\":");
        json_write(b, e->task);
    }
    if (e->group) {
        buf_puts(b, ",\"group\":");
        json_write(b, e->group);
    }
    buf_puts(b, "}");
}
