/* SPDX-License-Identifier: MIT */
/*
 * status - many tasks, a page at a time.
 *
 * begin decides: with ids, each is looked up in turn (selected → one, one_row); without, live
 * tasks come from memory and finished ones from the store (page), merged by id.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/control/control.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"
#include "daemon/control/summary.h"
#include "daemon/tasks/view.h"

enum { STATUS_LIMIT_DEFAULT = 100 };

struct status_params {
    const msgpack_object *ids;
    const msgpack_object *states;
    struct bytes group;
    struct bytes order;
    uint64_t from;
    uint64_t limit;
};

static const struct field status_fields[] = {
    {"ids", FIELD_ARRAY, false, offsetof(struct status_params, ids), LIMIT_SELECTED},
    {"states", FIELD_TEXTS, false, offsetof(struct status_params, states), TASK_STATES},
    {"group", FIELD_TEXT, false, offsetof(struct status_params, group), LIMIT_NAME_BYTES},
    {"order", FIELD_TEXT, false, offsetof(struct status_params, order), 8},
    {"from", FIELD_UINT, false, offsetof(struct status_params, from), INT64_MAX},
    {"limit", FIELD_UINT, false, offsetof(struct status_params, limit), LIMIT_PAGE_ROWS},
};

struct status {
    struct method_frame head;
    struct status_params p;
    struct selection selection; /* owned */
    size_t at;                  /* in the selection */
    struct store_call *read;    /* counted */
    char *group;                /* owned; NULL: any */
    struct buf tasks;           /* owned: what is listed so far */
    uint32_t count;             /* of them */
    uint64_t next;              /* where the next page begins; 0: there is none */
    bool states[TASK_STATES];
    bool rising;
};

static struct aio_next status_page(struct aio_co *);
static struct aio_next status_one(struct aio_co *);
static struct aio_next status_one_row(struct aio_co *);

static struct status *status_of(struct aio_co *co)
{
    return container_of(co, struct status, head.co);
}

static void status_done(struct aio_co *co)
{
    struct status *s = status_of(co);
    selection_done(&s->selection);
    store_call_unref(s->read);
    buf_done(&s->tasks);
    defs_freep(&s->group);
}

static bool status_wants(const struct status *s, enum task_state state, const char *group)
{
    return s->states[state] && (!s->group || strcmp(group, s->group) == 0);
}

static bool status_full(const struct status *s)
{
    return s->count == s->p.limit || s->count >= LIMIT_REPLY_TASKS ||
           s->tasks.len >= LIMIT_REPLY_TASKS_BYTES;
}

static struct aio_next status_return(struct status *s)
{
    struct call *call = s->head.call;
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    pack_key(&b, &map, "tasks");
    pack_array(&b, s->count);
    buf_append(&b, s->tasks.data, s->tasks.len);
    pack_key(&b, &map, "next");
    if (s->next)
        pack_uint(&b, s->next);
    else
        pack_nil(&b);
    summary_pack(call, &b, &map);
    pack_map_end(&b, &map);
    if (!buf_ok(&s->tasks))
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

static struct aio_next status_one(struct aio_co *co)
{
    struct status *s = status_of(co);
    struct call *call = s->head.call;
    for (; s->at < s->selection.len && !status_full(s); s->at++) {
        struct task *t = call_task(call, s->selection.ids[s->at].id);
        if (!t) {
            store_call_unref(s->read);
            s->read = store_call_new(call->control->tasks->sched, STORE_GET);
            if (!s->read)
                return aio_raise(co, -ENOMEM, NULL);
            s->read->op.id = s->selection.ids[s->at].id;
            return aio_await_try(co, store_call_start(s->read, call->control->tasks->store),
                                 STEP(status_one_row));
        }
        if (status_wants(s, t->state, t->group->name)) {
            view_live(&s->tasks, t);
            s->count++;
        }
    }
    if (s->at < s->selection.len)
        s->next = s->selection.ids[s->at - 1].id;
    return status_return(s);
}

static struct aio_next status_one_row(struct aio_co *co)
{
    struct status *s = status_of(co);
    struct call *call = s->head.call;
    const struct selected *selected = &s->selection.ids[s->at];
    int err = aio_outcome(co, NULL);
    if (err < 0 && err != -ENOENT)
        return aio_raise(co, err, NULL);
    const struct store_task *row = err == 0 ? &s->read->op.rows[0] : NULL;
    bool seen = row && call_may_see(call, row->uid) && row->outcome != STORE_LIVE;
    if (!seen && !selected->optional)
        return call_fail(call, co, -ENOENT, "there is no task %llu",
                         (unsigned long long)selected->id);
    if (seen && status_wants(s, TASK_DONE, row->group)) {
        view_finished(&s->tasks, row);
        s->count++;
    }
    s->at++;
    return status_one(co);
}

/* ---- pages ---- */

/* Live and finished tasks, both sorted by id, as one sorted list of at most `limit`. */
struct status_merge {
    size_t place;         /* in the table: of the next candidate, counted from 1 when falling */
    const struct task *t; /* the candidate, NULL: no more */
    uint32_t row;
};

static void status_next_live(const struct status *s, struct status_merge *m)
{
    const struct table *table = &s->head.call->control->tasks->table;
    m->t = NULL;
    while (!m->t && (s->rising ? m->place < table->len : m->place > 0)) {
        const struct task *t = table->entries[s->rising ? m->place++ : --m->place].task;
        if (t && call_may_see(s->head.call, t->uid) &&
            status_wants(s, t->state, t->group->name))
            m->t = t;
    }
}

static struct aio_next status_merge(struct status *s)
{
    const struct table *table = &s->head.call->control->tasks->table;
    const struct store_task *rows = s->read ? s->read->op.rows : NULL;
    uint32_t nrows = s->read ? s->read->op.nrows : 0;
    struct status_merge m = {0};
    if (s->rising)
        m.place = table_lower_bound(table, s->p.from + 1);
    else
        m.place = table_lower_bound(table, s->p.from ? s->p.from : UINT64_MAX);
    uint64_t last = 0;
    for (status_next_live(s, &m); m.t || m.row < nrows;) {
        if (status_full(s)) {
            s->next = last;
            break;
        }
        if (m.row == nrows && s->read && s->read->op.more)
            break; /* older rows come before older live tasks: the store gave only so many */
        if (m.t && (m.row == nrows || m.t->id > rows[m.row].id)) {
            last = m.t->id;
            view_live(&s->tasks, (struct task *)m.t);
            status_next_live(s, &m);
        } else if (tasks_find(s->head.call->control->tasks, rows[m.row].id)) {
            m.row++; /* on disk already, and here not yet: it was shown as it is here */
            continue;
        } else {
            last = rows[m.row].id;
            view_finished(&s->tasks, &rows[m.row++]);
        }
        s->count++;
    }
    if (!s->next && s->read && s->read->op.more)
        s->next = last;
    return status_return(s);
}

static struct aio_next status_page(struct aio_co *co)
{
    return status_merge(status_of(co));
}

static struct aio_next status_list(struct status *s)
{
    struct call *call = s->head.call;
    struct aio_co *co = &s->head.co;
    struct tasks *tasks = call->control->tasks;
    if (!s->states[TASK_DONE])
        return status_merge(s);
    if (s->rising)
        return call_fail(
            call, co, -EINVAL,
            "\"order\": \"asc\" is for tasks that are not DONE: name their states");
    s->read = store_call_new(tasks->sched, STORE_PAGE);
    if (!s->read)
        return aio_raise(co, -ENOMEM, NULL);
    bool all = call_may_see(call, UINT32_MAX);
    s->read->op.filter = (struct store_filter){
        .before = s->p.from ? s->p.from : UINT64_MAX,
        .uid = all ? UINT32_MAX : call->peer->uid,
        .group = s->group,
        /* one more than is shown tells whether there is another page */
        .limit = (uint32_t)(s->p.limit < LIMIT_PAGE_ROWS ? s->p.limit + 1 : LIMIT_PAGE_ROWS),
    };
    return aio_await(co, store_call_start(s->read, tasks->store), STEP(status_page));
}

/* ---- what is asked for ---- */

static int status_read_states(struct status *s)
{
    const msgpack_object *states = s->p.states;
    for (int state = 0; state < TASK_STATES; state++)
        s->states[state] = !states;
    for (uint32_t i = 0; states && i < states->via.array.size; i++) {
        struct bytes text = object_text(&states->via.array.ptr[i]);
        int state = 0;
        while (state < TASK_STATES && !bytes_equal(text, task_state_name(state)))
            state++;
        if (state == TASK_STATES)
            return err_set(&s->head.call->err, -EINVAL,
                           "\"states\" takes PENDING, RUNNING, SUSPENDED and DONE");
        s->states[state] = true;
    }
    return 0;
}

static struct aio_next status_begin(struct aio_co *co)
{
    struct status *s = status_of(co);
    struct call *call = s->head.call;
    s->p.limit = STATUS_LIMIT_DEFAULT;
    if (call_params(call, status_fields, ARRAY_SIZE(status_fields), &s->p) < 0 ||
        status_read_states(s) < 0)
        return call_raise(call, co);
    if (s->p.limit == 0)
        return call_fail(call, co, -EINVAL, "\"limit\" must be at least 1");
    s->rising = bytes_equal(s->p.order, "asc");
    if (s->p.order.data && !s->rising && !bytes_equal(s->p.order, "desc"))
        return call_fail(call, co, -EINVAL, "\"order\" must be \"asc\" or \"desc\"");
    if (s->p.group.data && !(s->group = bytes_dup(s->p.group)))
        return aio_raise(co, -ENOMEM, NULL);
    if (!s->p.ids)
        return status_list(s);
    if (!map_get(call->params, "limit"))
        s->p.limit = LIMIT_REPLY_TASKS; /* who names tasks wants them all */
    return aio_delegate(co, select_ids(call, s->p.ids, &s->selection), STEP(status_selected));
}

const struct aio_co_fn method_status = {"status", sizeof(struct status),
                                        STEP_INIT(status_begin), status_done};
