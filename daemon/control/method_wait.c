/* SPDX-License-Identifier: MIT */
/*
 * wait - asyncio.wait over tasks; await - the same for one, whose end is the answer.
 *
 * begin → selected watches the live ones; for those that are done already the rows are awaited
 * (next, row) → watch awaits the first end, all ends, or the timer → answer. Whoever stops
 * waiting cancels nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/parse.h"
#include "daemon/control/control.h"
#include "daemon/control/lookup.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"
#include "daemon/tasks/view.h"

struct waiting_params {
    const msgpack_object *ids; /* wait */
    const msgpack_object *id;  /* await */
    struct bytes mode;
    double timeout;
};

#define WAITING_TIMEOUT                                                                        \
    {                                                                                          \
        "timeout", FIELD_NUMBER, false, offsetof(struct waiting_params, timeout),              \
            PARSE_DURATION_MAX_NS / NSEC_PER_SEC                                               \
    }
static const struct field wait_fields[] = {
    {"ids", FIELD_ARRAY, false, offsetof(struct waiting_params, ids), LIMIT_SELECTED},
    {"mode", FIELD_TEXT, false, offsetof(struct waiting_params, mode), 8},
    WAITING_TIMEOUT,
};
static const struct field await_fields[] = {
    {"id", FIELD_OBJECT, true, offsetof(struct waiting_params, id), 0},
    WAITING_TIMEOUT,
};

struct waiting;

/* One task that is waited for. */
struct waiting_entry {
    struct aio_done done;
    struct waiting *waiting; /* borrowed */
    uint64_t id;
    bool ended;
};

struct waiting {
    struct method_frame head;
    struct waiting_params p;
    struct selection selection;    /* owned */
    struct waiting_entry *entries; /* owned; as many as selected */
    size_t at;                     /* entries below this one are watched or known */
    size_t ended;                  /* of them: are DONE */
    size_t pending;                /* likewise: may still end; counted, as each end looks */
    struct store_call *read;       /* counted */
    struct buf results;            /* owned: tasks in the order of completion */
    uint32_t shown;                /* of them */
    struct buf rest;               /* owned: the ids of those that an answer has no room for */
    uint32_t rested;               /* of them */
    struct aio_future wake;        /* an end or the timer; prepared before each await */
    struct aio_timer timer;
    bool timed_out;
    bool gone; /* one that was waited for was never recorded */
    bool first;
};

static struct aio_next waiting_selected(struct aio_co *);
static struct aio_next waiting_next(struct aio_co *);
static struct aio_next waiting_row(struct aio_co *);
static struct aio_next waiting_watch(struct aio_co *);

static struct waiting *waiting_of(struct aio_co *co)
{
    return container_of(co, struct waiting, head.co);
}

static void waiting_done(struct aio_co *co)
{
    struct waiting *w = waiting_of(co);
    aio_timer_cancel(w->head.call->control->tasks->sched, &w->timer);
    for (size_t i = 0; w->entries && i < w->selection.len; i++)
        aio_future_remove_done(&w->entries[i].done);
    free(w->entries);
    selection_done(&w->selection);
    store_call_unref(w->read);
    buf_done(&w->results);
    buf_done(&w->rest);
    aio_future_done(&w->wake);
}

static void waiting_wake(struct waiting *w)
{
    if (w->wake.sched && !aio_future_is_done(&w->wake))
        aio_future_set_result(&w->wake, NULL);
}

/* Tasks that are shown: the ids of all others are in the answer, too. */
static size_t waiting_most(const struct waiting *w)
{
    enum { ENVELOPE = 32 };
    size_t most = (LIMIT_MESSAGE_ITEMS - ENVELOPE - w->selection.len) / LIMIT_TASK_ITEMS;
    return most < LIMIT_REPLY_TASKS ? most : LIMIT_REPLY_TASKS;
}

/* Whether the task that has ended is shown in the answer; else it is noted for the next one. */
static bool waiting_has_room(struct waiting *w, const struct waiting_entry *entry)
{
    bool room = w->shown < waiting_most(w) && w->results.len < LIMIT_REPLY_TASKS_BYTES;
    if (room) {
        w->shown++;
    } else {
        pack_uint(&w->rest, entry->id);
        w->rested++;
    }
    return room;
}

static void waiting_ended(struct aio_done *done, struct aio_future *f)
{
    struct waiting_entry *entry = container_of(done, struct waiting_entry, done);
    struct waiting *w = entry->waiting;
    struct value *value = NULL;
    entry->ended = true;
    w->pending--;
    if (aio_future_result(f, &value) < 0) {
        w->gone = true; /* the disk was full: there is no such task after all */
    } else {
        if (waiting_has_room(w, entry))
            pack_value(&w->results, value);
        w->ended++;
    }
    waiting_wake(w);
}

static void waiting_timer(struct aio_handle *handle)
{
    struct aio_timer *timer = container_of(handle, struct aio_timer, handle);
    struct waiting *w = container_of(timer, struct waiting, timer);
    w->timed_out = true;
    waiting_wake(w);
}

/* ---- steps ---- */

static struct aio_next waiting_begin(struct aio_co *co)
{
    struct waiting *w = waiting_of(co);
    struct call *call = w->head.call;
    bool one = co->fn == &method_await;
    aio_timer_init(&w->timer, waiting_timer);
    w->p.timeout = -1;
    const struct field *fields = one ? await_fields : wait_fields;
    size_t n = one ? ARRAY_SIZE(await_fields) : ARRAY_SIZE(wait_fields);
    if (call_params(call, fields, n, &w->p) < 0)
        return call_raise(call, co);
    if (w->p.timeout < 0 && map_get(call->params, "timeout"))
        return call_fail(call, co, -EINVAL, "\"timeout\" must not be negative");
    w->first = bytes_equal(w->p.mode, "first");
    if (w->p.mode.data && !w->first && !bytes_equal(w->p.mode, "all"))
        return call_fail(call, co, -EINVAL, "\"mode\" must be \"all\" or \"first\"");
    if (one)
        return aio_delegate(co, select_id(call, w->p.id, &w->selection),
                            STEP(waiting_selected));
    static const msgpack_object all = {.type = MSGPACK_OBJECT_STR, .via.str = {3, "all"}};
    return aio_delegate(co, select_ids(call, w->p.ids ? w->p.ids : &all, &w->selection),
                        STEP(waiting_selected));
}

static struct aio_next waiting_selected(struct aio_co *co)
{
    struct waiting *w = waiting_of(co);
    struct call *call = w->head.call;
    if (w->p.timeout >= 0) {
        uint64_t ns = clock_from_seconds(w->p.timeout);
        int r =
            aio_call_at(call->control->tasks->sched, &w->timer, AIO_AWAKE, clock_awake() + ns);
        if (r < 0)
            return aio_raise(co, r, NULL);
    }
    if (w->selection.len == 0)
        return aio_goto(co, STEP(waiting_watch));
    w->entries = calloc(w->selection.len, sizeof(*w->entries));
    if (!w->entries)
        return aio_raise(co, -ENOMEM, NULL);
    w->pending = w->selection.len;
    return waiting_next(co);
}

/* Watches the live ones; stops at each that is not, to read its row. */
static struct aio_next waiting_next(struct aio_co *co)
{
    struct waiting *w = waiting_of(co);
    struct call *call = w->head.call;
    for (; w->at < w->selection.len; w->at++) {
        struct waiting_entry *entry = &w->entries[w->at];
        struct task *t = call_task(call, w->selection.ids[w->at].id);
        entry->waiting = w;
        entry->id = w->selection.ids[w->at].id;
        if (!t)
            return aio_delegate(
                co, lookup_row(call, entry->id, w->selection.ids[w->at].optional, &w->read),
                STEP(waiting_row));
        struct aio_future *ended = task_ended(t);
        if (!ended)
            return aio_raise(co, -ENOMEM, NULL);
        aio_future_add_done(ended, &entry->done, waiting_ended);
    }
    return aio_goto(co, STEP(waiting_watch));
}

static struct aio_next waiting_row(struct aio_co *co)
{
    struct waiting *w = waiting_of(co);
    struct waiting_entry *entry = &w->entries[w->at];
    if (w->read) {
        if (waiting_has_room(w, entry))
            view_finished(&w->results, &w->read->op.rows[0]);
        w->ended++;
    } else {
        w->selection.ids[w->at].id = 0; /* a hole in a range: neither done nor pending */
    }
    entry->ended = true;
    w->pending--;
    w->at++;
    return waiting_next(co);
}

static struct aio_next waiting_answer(struct waiting *w)
{
    struct call *call = w->head.call;
    struct aio_co *co = &w->head.co;
    if (co->fn == &method_await) {
        if (w->gone)
            return call_fail(call, co, -ENOENT, "task %llu could not be recorded",
                             (unsigned long long)w->selection.ids[0].id);
        if (w->pending)
            return call_fail(call, co, -ETIMEDOUT, "task %llu is not done after %g s",
                             (unsigned long long)w->selection.ids[0].id, w->p.timeout);
        return call_return(co, &w->results);
    }
    struct buf b = BUF_INIT;
    pack_map(&b, 4);
    pack_text(&b, "done");
    pack_array(&b, w->shown);
    buf_append(&b, w->results.data, w->results.len);
    pack_text(&b, "rest");
    pack_array(&b, w->rested);
    buf_append(&b, w->rest.data, w->rest.len);
    pack_text(&b, "pending");
    pack_array(&b, w->pending);
    for (size_t i = 0; i < w->selection.len; i++)
        if (!w->entries[i].ended)
            pack_uint(&b, w->entries[i].id);
    pack_text(&b, "timed_out");
    pack_bool(&b, w->timed_out && w->pending > 0);
    if (!buf_ok(&w->results) || !buf_ok(&w->rest))
        b.failed = true;
    return call_return(co, &b);
}

static struct aio_next waiting_watch(struct aio_co *co)
{
    struct waiting *w = waiting_of(co);
    if (w->pending == 0 || w->timed_out || (w->first && w->ended > 0))
        return waiting_answer(w);
    aio_future_done(&w->wake);
    aio_future_init(&w->wake, w->head.call->control->tasks->sched, NULL);
    return aio_await(co, &w->wake, STEP(waiting_watch));
}

const struct aio_co_fn method_wait = {"wait", sizeof(struct waiting), STEP_INIT(waiting_begin),
                                      waiting_done};
const struct aio_co_fn method_await = {"await", sizeof(struct waiting),
                                       STEP_INIT(waiting_begin), waiting_done};
