/* SPDX-License-Identifier: MIT */
/*
 * events - tells the client what happens, as it happens, until it leaves.
 *
 * begin → selected: those ids that are not live are looked up (found) → watch: "ready" is sent,
 * and from then on each event in the step that made it (told). It is suspended on a future that
 * nobody finishes.
 *
 * How it fails. A client that reads too slowly: from LIMIT_EVENT_BACKLOG_BYTES on events are
 * counted instead of sent; "lost" says how many as soon as it has caught up. The daemon stops: it
 * is cancelled, which is answered with `stopping`.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/control/connection.h"
#include "daemon/control/control.h"
#include "daemon/control/lookup.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"
#include "proto/rpc.h"

struct events_params {
    const msgpack_object *ids;
    struct bytes group;
};

static const struct field events_fields[] = {
    {"ids", FIELD_OBJECT, false, offsetof(struct events_params, ids), 0},
    {"group", FIELD_TEXT, false, offsetof(struct events_params, group), LIMIT_NAME_BYTES},
};

struct events {
    struct method_frame head;
    struct events_params p;
    struct selection selection; /* owned; sorted once all are looked at */
    size_t at;                  /* the next one to look at */
    struct store_call *read;    /* counted */
    char *group;                /* owned; NULL: any */
    struct watcher watcher;
    struct user *subscriber; /* borrowed: with whom it is counted; or NULL */
    struct aio_future end;   /* what it awaits */
    struct aio_done drained; /* after a loss: the client has read everything */
    uint64_t lost;           /* events left out since the last one that was sent */
};

static struct aio_next events_selected(struct aio_co *);

static struct events *events_of(struct aio_co *co)
{
    return container_of(co, struct events, head.co);
}

static void events_done(struct aio_co *co)
{
    struct events *e = events_of(co);
    watch_end(&e->watcher);
    if (e->subscriber)
        e->subscriber->subscriptions--;
    aio_future_remove_done(&e->drained);
    aio_future_done(&e->end);
    selection_done(&e->selection);
    store_call_unref(e->read);
    defs_freep(&e->group);
}

/* ---- which ---- */

static bool events_wants(const struct events *e, const struct watch_event *event)
{
    if (e->group && strcmp(event->group, e->group) != 0)
        return false;
    if (event->what == WATCH_GROUP)
        return !e->p.ids;
    return call_may_see(e->head.call, event->uid) &&
           (!e->p.ids || selection_has(&e->selection, event->id));
}

/* ---- telling ---- */

/* The head of a notification, up to its first key; `keys` follow. */
static struct buf *events_head(const struct call *call, uint32_t keys)
{
    struct buf *b = &call->connection->out;
    rpc_write_notification(b, "event");
    pack_map(b, 1 + keys);
    pack_text(b, "request");
    pack_uint(b, call->msgid);
    return b;
}

/* One that is no event of the watchers': "ready" and "lost". */
static void events_say(const struct events *e, const char *what, uint64_t count)
{
    struct call *call = e->head.call;
    struct buf *b = events_head(call, count ? 3 : 2);
    pack_text(b, "time");
    pack_time(b, clock_wall());
    pack_text(b, "what");
    pack_text(b, what);
    if (count) {
        pack_text(b, "count");
        pack_uint(b, count);
    }
    connection_flush_soon(call->connection);
}

static void events_say_lost(struct events *e)
{
    if (!e->lost || !e->head.call->connection)
        return;
    events_say(e, "lost", e->lost);
    e->lost = 0;
}

static void events_drained(struct aio_done *done, struct aio_future *f)
{
    (void)f;
    events_say_lost(container_of(done, struct events, drained));
}

static void events_lose(struct events *e)
{
    if (e->lost++ > 0)
        return;
    struct aio_future *drained = connection_drained(e->head.call->connection);
    aio_future_remove_done(&e->drained);
    if (drained) /* else the next event that is sent says it */
        aio_future_add_done(drained, &e->drained, events_drained);
}

static void events_told(struct watcher *watcher, struct watch_event *event)
{
    struct events *e = container_of(watcher, struct events, watcher);
    const struct call *call = e->head.call;
    if (!call->connection || !events_wants(e, event))
        return;
    /* once something was lost, there has to be room for more than the next one */
    size_t room = LIMIT_EVENT_BACKLOG_BYTES / (e->lost ? 2 : 1);
    if (connection_backlog(call->connection) > room) {
        events_lose(e);
        return;
    }
    events_say_lost(e);
    if (!call->connection) /* it was one too many */
        return;
    uint32_t keys;
    const struct buf *body = watch_body(event, &keys);
    struct buf *b = events_head(call, keys);
    buf_append(b, body->data, body->len);
    if (!buf_ok(body))
        b->failed = true;
    connection_flush_soon(call->connection);
}

/* ---- steps ---- */

static struct aio_next events_watch(struct aio_co *co)
{
    struct events *e = events_of(co);
    struct call *call = e->head.call;
    struct tasks *tasks = call->control->tasks;
    selection_sort(&e->selection);
    if (call->connection) {
        watch_begin(&tasks->watchers, &e->watcher, events_told);
        events_say(e, "ready", 0);
    }
    aio_future_init(&e->end, tasks->sched, NULL);
    return aio_await(co, &e->end, STEP(events_watch));
}

static struct aio_next events_found(struct aio_co *co)
{
    events_of(co)->at++;
    return events_selected(co);
}

static struct aio_next events_selected(struct aio_co *co)
{
    struct events *e = events_of(co);
    struct call *call = e->head.call;
    while (e->at < e->selection.len && call_task(call, e->selection.ids[e->at].id))
        e->at++;
    if (e->at == e->selection.len)
        return events_watch(co);
    const struct selected *selected = &e->selection.ids[e->at];
    return aio_delegate(co, lookup_row(call, selected->id, selected->optional, &e->read),
                        STEP(events_found));
}

/* 0, or a negative errno in call->err. */
static int events_count(struct events *e)
{
    struct call *call = e->head.call;
    struct user *user = tasks_user(call->control->tasks, call->peer->uid);
    if (!user)
        return err_set(&call->err, -ENOMEM, "out of memory");
    if (!user->unlimited && user->subscriptions >= LIMIT_SUBSCRIPTIONS_PER_UID)
        return err_set(&call->err, -EDQUOT, "you have %u subscriptions to events already",
                       user->subscriptions);
    user->subscriptions++;
    e->subscriber = user;
    return 0;
}

static struct aio_next events_begin(struct aio_co *co)
{
    struct events *e = events_of(co);
    struct call *call = e->head.call;
    if (call_params(call, events_fields, ARRAY_SIZE(events_fields), &e->p) < 0 ||
        events_count(e) < 0)
        return call_raise(call, co);
    if (e->p.group.data && !(e->group = bytes_dup(e->p.group)))
        return aio_raise(co, -ENOMEM, NULL);
    if (!e->p.ids)
        return events_watch(co);
    return aio_delegate(co, select_ids(call, e->p.ids, &e->selection), STEP(events_selected));
}

const struct aio_co_fn method_events = {"events", sizeof(struct events),
                                        STEP_INIT(events_begin), events_done};
