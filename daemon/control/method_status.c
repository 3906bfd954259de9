/* SPDX-License-Identifier: MIT */
/*
 * status - many tasks, a page at a time.
 *
 * begin decides: with ids, each is looked up in turn (selected → one, one_row); without, a page
 * is awaited (listing.c) → answer.
 */
#include <errno.h>

#include "daemon/control/control.h"
#include "daemon/control/listing.h"
#include "daemon/control/lookup.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"
#include "daemon/control/summary.h"
#include "daemon/tasks/view.h"

enum { STATUS_LIMIT_DEFAULT = 100 };

struct status_params {
    const msgpack_object *ids;
    struct query_params query;
    struct bytes order;
    uint64_t from;
    uint64_t limit;
};

static const struct field status_fields[] = {
    {"ids", FIELD_ARRAY, false, offsetof(struct status_params, ids), LIMIT_SELECTED},
    QUERY_FIELDS(struct status_params, query),
    {"order", FIELD_TEXT, false, offsetof(struct status_params, order), 8},
    {"from", FIELD_UINT, false, offsetof(struct status_params, from), INT64_MAX},
    {"limit", FIELD_UINT, false, offsetof(struct status_params, limit), LIMIT_PAGE_ROWS},
};

struct status {
    struct method_frame head;
    struct status_params p;
    struct query query;         /* owned */
    struct selection selection; /* owned */
    size_t at;                  /* in the selection */
    struct store_call *read;    /* counted */
    struct listing page;        /* its tasks are owned */
};

static struct aio_next status_one(struct aio_co *);

static struct status *status_of(struct aio_co *co)
{
    return container_of(co, struct status, head.co);
}

static void status_done(struct aio_co *co)
{
    struct status *s = status_of(co);
    selection_done(&s->selection);
    store_call_unref(s->read);
    buf_done(&s->page.tasks);
    query_done(&s->query);
}

static struct aio_next status_answer(struct aio_co *co)
{
    struct status *s = status_of(co);
    struct call *call = s->head.call;
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    pack_key(&b, &map, "tasks");
    pack_array(&b, s->page.count);
    buf_append(&b, s->page.tasks.data, s->page.tasks.len);
    pack_key(&b, &map, "next");
    if (s->page.next)
        pack_uint(&b, s->page.next);
    else
        pack_nil(&b);
    summary_pack(call, &b, &map);
    pack_map_end(&b, &map);
    if (!buf_ok(&s->page.tasks))
        b.failed = true;
    return call_return(&s->head.co, &b);
}

/* ---- by ids ---- */

/* Those up to and with `from` were in the pages before. */
static struct aio_next status_selected(struct aio_co *co)
{
    struct status *s = status_of(co);
    for (size_t i = 0; s->p.from && i < s->selection.len; i++)
        if (s->selection.ids[i].id == s->p.from)
            s->at = i + 1;
    return status_one(co);
}

static struct aio_next status_one_row(struct aio_co *co)
{
    struct status *s = status_of(co);
    const struct store_task *row = s->read ? &s->read->op.rows[0] : NULL;
    if (row && query_wants_row(&s->query, row)) {
        view_finished(&s->page.tasks, row);
        s->page.count++;
    }
    s->at++;
    return status_one(co);
}

static struct aio_next status_one(struct aio_co *co)
{
    struct status *s = status_of(co);
    struct call *call = s->head.call;
    for (; s->at < s->selection.len && !listing_full(&s->page); s->at++) {
        const struct selected *selected = &s->selection.ids[s->at];
        struct task *t = call_task(call, selected->id);
        if (!t)
            return aio_delegate(co,
                                lookup_row(call, selected->id, selected->optional, &s->read),
                                STEP(status_one_row));
        if (query_wants_live(&s->query, t)) {
            view_live(&s->page.tasks, t);
            s->page.count++;
        }
    }
    if (s->at < s->selection.len)
        s->page.next = s->selection.ids[s->at - 1].id;
    return status_answer(co);
}

/* ---- what is asked for ---- */

static struct aio_next status_list(struct status *s)
{
    if (s->page.rising && s->query.states[TASK_DONE])
        return call_fail(
            s->head.call, &s->head.co, -EINVAL,
            "\"order\": \"asc\" is for tasks that are not DONE: name their states");
    return aio_delegate(&s->head.co, listing_page(s->head.call, &s->page), STEP(status_answer));
}

static struct aio_next status_begin(struct aio_co *co)
{
    struct status *s = status_of(co);
    struct call *call = s->head.call;
    s->p.limit = STATUS_LIMIT_DEFAULT;
    if (call_params(call, status_fields, ARRAY_SIZE(status_fields), &s->p) < 0 ||
        query_read(&s->query, &s->p.query, &call->err) < 0)
        return call_raise(call, co);
    if (s->p.limit == 0)
        return call_fail(call, co, -EINVAL, "\"limit\" must be at least 1");
    bool rising = bytes_equal(s->p.order, "asc");
    if (s->p.order.data && !rising && !bytes_equal(s->p.order, "desc"))
        return call_fail(call, co, -EINVAL, "\"order\" must be \"asc\" or \"desc\"");
    if (s->p.ids && !map_get(call->params, "limit"))
        s->p.limit = LIMIT_REPLY_TASKS; /* who names tasks wants them all */
    s->page.query = &s->query;
    s->page.from = s->p.from;
    s->page.limit = (uint32_t)s->p.limit;
    s->page.rising = rising;
    if (!s->p.ids)
        return status_list(s);
    return aio_delegate(co, select_ids(call, s->p.ids, &s->selection), STEP(status_selected));
}

const struct aio_co_fn method_status = {"status", sizeof(struct status),
                                        STEP_INIT(status_begin), status_done};
