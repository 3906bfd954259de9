/* SPDX-License-Identifier: MIT */
/*
 * aioctl events - what happened to tasks, and with -f what happens to them, as it happens.
 *
 * What happened is told from the times of the tasks. With -f: `events` is asked for; once it is
 * "ready" the past is read through a second connection, so that the events that come meanwhile
 * wait in the first; then they follow, less those that the past has told. When the event loop
 * went away the same fills the gap, from the last event on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/context.h"
#include "client/ids.h"
#include "client/output.h"
#include "client/past.h"
#include "client/picked.h"
#include "client/seen.h"
#include "proto/pack.h"

enum { EVENTS_NEWEST = 20 }; /* without -n, --since or IDs */

struct cmd_events {
    struct filters filters;
    bool follow;
    struct option_number lines;
    enum option_format format;
};

#define EVENTS(member) offsetof(struct cmd_events, member)
static const struct option_def cmd_events_defs[] = {
    {"follow", 'f', OPTION_FLAG, NULL, "go on with what happens, as it happens",
     EVENTS(follow)},
    {"lines", 'n', OPTION_COUNT, "N", "the newest N (20; all with --since or IDs)",
     EVENTS(lines)},
    FILTER_SINCE(EVENTS(filters)),
    FILTER_GROUP(EVENTS(filters)),
    {"output", 'o', OPTION_FORMAT, "table|json|jsonl", "how to print", EVENTS(format)},
};
#undef EVENTS

struct events {
    struct context *context;
    const struct cmd_events *options;
    struct past_query query;
    uint64_t since_ns;   /* 0: without --since */
    uint64_t lines;      /* of the past; UINT64_MAX: all */
    size_t written;      /* events, for JSON */
    struct context past; /* the second connection, while there is one */
    char **ids;          /* owned, and its texts: of -f, the tasks that were named */
    size_t nids;
    struct seen seen;
    uint64_t ready_ns; /* when we began to follow; 0: not yet */
    bool begun;        /* the past has been shown */
};

/* ---- writing ---- */

static void events_put(struct events *e, struct buf *b, const struct event *event,
                       const struct view *view)
{
    enum option_format format = e->options->format;
    if (format == FORMAT_DEFAULT || format == FORMAT_TABLE) {
        event_line(b, event, view);
        return;
    }
    if (format == FORMAT_JSON)
        buf_puts(b, e->written > 0 ? ",\n" : "[");
    event_json(b, event);
    buf_puts(b, format == FORMAT_JSONL ? "\n" : "");
    e->written++;
}

/* Events of the past from `first` on, less those that were told. */
static int events_write_past(struct events *e, const struct past *past, size_t first,
                             struct err *err)
{
    _cleanup_(buf_done) struct buf out = BUF_INIT;
    struct view view = context_view(e->context);
    for (size_t i = first; i < past->n; i++) {
        int r = e->options->follow ? seen_add(&e->seen, &past->events[i]) : 1;
        if (r < 0)
            return err_set(err, r, "out of memory");
        if (r > 0)
            events_put(e, &out, &past->events[i], &view);
    }
    return output_flush(STDOUT_FILENO, &out, err);
}

/* ---- the past ---- */

static int events_read_past(struct events *e, struct past *past, struct context *c,
                            struct err *err)
{
    if (e->since_ns || e->query.ids)
        return past_read(past, c, &e->query, e->since_ns, UINT64_MAX, err);
    return past_newest(past, c, &e->query, e->lines, clock_wall(), err);
}

static int events_show_past(struct events *e, struct context *c, struct err *err)
{
    _cleanup_(past_done) struct past past = {.pages = {NULL, 0, NULL, 0}};
    int r = events_read_past(e, &past, c, err);
    if (r < 0)
        return r;
    size_t end = past.n; /* of what had happened when we began to follow */
    while (e->ready_ns && end > 0 && past.events[end - 1].time_ns > e->ready_ns)
        end--;
    return events_write_past(e, &past, end > e->lines ? end - (size_t)e->lines : 0, err);
}

/* ---- following ---- */

/* What happened while nobody told. */
static int events_fill(struct events *e, struct err *err)
{
    _cleanup_(past_done) struct past past = {.pages = {NULL, 0, NULL, 0}};
    uint64_t since = e->seen.newest_ns > SEEN_NS ? e->seen.newest_ns - SEEN_NS : 1;
    if (since < seen_since(&e->seen))
        since = seen_since(&e->seen);
    if (since < e->ready_ns)
        since = e->ready_ns;
    int r = past_read(&past, &e->past, &e->query, since, UINT64_MAX, err);
    return r == 0 ? events_write_past(e, &past, 0, err) : r;
}

/* Through a second connection, to the same socket. When that breaks off the first one breaks
 * too, and another "ready" comes. */
static int events_catch_up(struct events *e, struct err *err)
{
    struct err reason = ERR_INIT;
    context_init(&e->past);
    e->past.command = e->context->command;
    e->past.options.socket = e->context->link.name;
    int r = e->begun ? events_fill(e, &reason) : events_show_past(e, &e->past, &reason);
    bool broken = e->past.link.broken;
    context_done(&e->past);
    if (r == 0)
        e->begun = true;
    if (r == 0 || broken || r == -ESHUTDOWN)
        return 0;
    *err = reason;
    return r;
}

/* From here on nothing is missed: what was before is read now. */
static int events_ready(struct events *e, const struct event *event, struct err *err)
{
    if (!e->begun) {
        e->ready_ns = event->time_ns ? event->time_ns : clock_wall();
        e->seen.newest_ns = e->ready_ns;
    }
    return events_catch_up(e, err);
}

static int events_tell(struct events *e, const struct event *event, struct buf *out,
                       const struct view *view, struct err *err)
{
    int r = seen_add(&e->seen, event);
    if (r < 0)
        return err_set(err, r, "out of memory");
    if (r > 0)
        events_put(e, out, event, view);
    return 0;
}

/* What nothing was told of when it happened: that a task was asked to end changes no state, and a
 * command may start and end within one turn of the event loop. Its times tell. */
static int events_tell_missed(struct events *e, struct event *event, struct buf *out,
                              const struct view *view, struct err *err)
{
    struct event past[EVENT_PAST_MAX];
    size_t n = event->task ? event_past(past, event->task) : 0;
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        bool started = past[i].kind == EVENT_STARTED && event->kind == EVENT_ENDED &&
                       bytes_equal(event->was, "PENDING");
        if ((!started && past[i].kind != EVENT_CANCEL) || past[i].time_ns < e->ready_ns)
            continue;
        r = events_tell(e, &past[i], out, view, err);
        if (started)
            event->was = past[i].state;
    }
    return r;
}

static int events_notified(void *arg, const struct rpc_message *message, struct err *err)
{
    struct events *e = arg;
    if (!bytes_equal(message->method, "event"))
        return 0;
    struct event event = event_read(message->params);
    if (event.kind == EVENT_READY)
        return events_ready(e, &event, err);
    _cleanup_(buf_done) struct buf out = BUF_INIT;
    struct view view = context_view(e->context);
    int r = events_tell_missed(e, &event, &out, &view, err);
    if (r == 0)
        r = events_tell(e, &event, &out, &view, err);
    if (r == 0)
        r = output_flush(STDOUT_FILENO, &out, err);
    return r == 0 && event.kind == EVENT_LOST ? events_catch_up(e, err) : r;
}

static void events_pack(void *arg, struct buf *params, bool again)
{
    (void)again;
    const struct events *e = arg;
    struct pack_map_place map = pack_map_begin(params);
    if (e->query.group) {
        pack_key(params, &map, "group");
        pack_text(params, e->query.group);
    }
    if (e->query.ids) {
        ids_pack(params, e->query.ids, e->query.nids);
        map.n++;
    }
    pack_map_end(params, &map);
}

/* The words are taken once, as numbers: "last" and names may mean other tasks later. A range of
 * one is no error where that task is gone. */
static int events_fix_ids(struct events *e, struct err *err)
{
    _cleanup_(picked_done) struct picked picked = {0};
    struct pages_query query = {.ids = e->query.ids, .nids = e->query.nids};
    int r = picked_read(&picked, e->context, &query, NULL, err);
    if (r < 0)
        return r;
    e->ids = calloc(picked.n, sizeof(*e->ids));
    for (size_t i = 0; i < picked.n && e->ids; i++) {
        unsigned long long id = picked.ids[picked.n - 1 - i];
        if (asprintf(&e->ids[i], "%llu-%llu", id, id) < 0)
            break;
        e->nids++;
    }
    e->query = (struct past_query){.ids = e->ids, .nids = e->nids, .group = e->query.group};
    return e->nids == picked.n ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int events_follow(struct events *e, struct err *err)
{
    struct context *c = e->context;
    int r = e->query.ids ? events_fix_ids(e, err) : context_connect(c, err);
    c->link.on_notification = events_notified;
    c->link.notification_arg = e;
    if (r == 0)
        r = context_call_again(c, "events", events_pack, e, NULL, err);
    c->link.on_notification = NULL;
    return r;
}

/* ---- the verb ---- */

static int events_check(struct events *e, struct err *err)
{
    const struct cmd_events *o = e->options;
    struct view view = context_view(e->context);
    struct pages_query query = {.most = 0};
    int r = filters_apply(&o->filters, &view, &query, err);
    if (r == 0 && o->follow && o->format == FORMAT_JSON)
        r = err_set(err, -EINVAL, "-f never ends, and an array would: -o jsonl");
    e->query.group = query.group;
    e->since_ns = query.since_ns;
    if (o->lines.given)
        e->lines = o->lines.value;
    else
        e->lines = e->since_ns || e->query.ids ? UINT64_MAX : EVENTS_NEWEST;
    return r;
}

static int events_run(struct events *e, struct err *err)
{
    struct buf end = BUF_INIT;
    int r = events_check(e, err);
    if (r == 0 && e->options->follow)
        return events_follow(e, err);
    if (r == 0)
        r = events_show_past(e, e->context, err);
    if (r < 0 || e->options->format != FORMAT_JSON)
        return r;
    buf_puts(&end, e->written > 0 ? "]\n" : "[]\n");
    r = output_flush(STDOUT_FILENO, &end, err);
    buf_done(&end);
    return r;
}

static int cmd_events_run(struct context *c, const void *options, char **words, size_t n)
{
    struct events e = {
        .context = c,
        .options = options,
        .query = {.ids = n > 0 ? words : NULL, .nids = n},
    };
    struct err err = ERR_INIT;
    int r = events_run(&e, &err);
    seen_done(&e.seen);
    for (size_t i = 0; i < e.nids; i++)
        free(e.ids[i]);
    free(e.ids);
    return r < 0 ? context_fail(c, &err) : EXIT_OK;
}

const struct command cmd_events = {
    .name = "events",
    .synopsis = "[OPTION…] [ID…]",
    .summary = "what happened to tasks, and with -f what happens",
    .text =
        "What happened is told from the times of the tasks: submitted, started, asked to end,\n"
        "ended. With -f every change of state follows as it happens; after a restart of the\n"
        "event loop what was missed is filled in. -o jsonl: {time, what, id, state, was,\n"
        "task}, what: state, cancel, removed, group, lost; past: true where it is told\n"
        "afterwards.",
    .options = cmd_events_defs,
    .noptions = ARRAY_SIZE(cmd_events_defs),
    .options_size = sizeof(struct cmd_events),
    .run = cmd_events_run,
};
