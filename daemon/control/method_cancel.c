/* SPDX-License-Identifier: MIT */
/*
 * cancel - Task.cancel() for one or more tasks.
 *
 * begin → ask asks every live task at once → next awaits that each is on disk (asked). Those that
 * are done are looked up (row): a cancel that comes too late is no error.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/control/control.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"

struct cancel_params {
    const msgpack_object *ids;
    bool kill;
};

static const struct field cancel_fields[] = {
    {"ids", FIELD_OBJECT, true, offsetof(struct cancel_params, ids), 0},
    {"kill", FIELD_BOOL, false, offsetof(struct cancel_params, kill), 0},
};

struct cancel {
    struct method_frame head;
    struct cancel_params p;
    struct selection selection; /* owned */
    size_t at;
    struct store_call *
        *asked; /* owned array, counted: the record of each cancel; NULL: not live */
    struct store_call *call; /* counted: a row */
    struct buf answers;      /* owned */
    uint32_t count;
};

static struct aio_next cancel_ask(struct aio_co *);
static struct aio_next cancel_next(struct aio_co *);
static struct aio_next cancel_asked(struct aio_co *);
static struct aio_next cancel_row(struct aio_co *);

static struct cancel *cancel_of(struct aio_co *co)
{
    return container_of(co, struct cancel, head.co);
}

static void cancel_done(struct aio_co *co)
{
    struct cancel *c = cancel_of(co);
    for (size_t i = 0; c->asked && i < c->selection.len; i++)
        store_call_unref(c->asked[i]);
    free(c->asked);
    selection_done(&c->selection);
    store_call_unref(c->call);
    buf_done(&c->answers);
}

static struct aio_next cancel_begin(struct aio_co *co)
{
    struct cancel *c = cancel_of(co);
    struct call *call = c->head.call;
    if (call_params(call, cancel_fields, ARRAY_SIZE(cancel_fields), &c->p) < 0)
        return call_raise(call, co);
    return aio_delegate(co, select_ids(call, c->p.ids, &c->selection), STEP(cancel_ask));
}

/* All in one step: were they asked one after the other, each slot that is freed would start the next of
 * those that are to be cancelled too. */
static struct aio_next cancel_ask(struct aio_co *co)
{
    struct cancel *c = cancel_of(co);
    struct call *call = c->head.call;
    c->asked = calloc(c->selection.len + 1, sizeof(struct store_call *));
    if (!c->asked)
        return aio_raise(co, -ENOMEM, NULL);
    for (size_t i = 0; i < c->selection.len; i++) {
        struct task *t = call_task(call, c->selection.ids[i].id);
        if (t)
            c->asked[i] = tasks_cancel(t, call->peer->uid, c->p.kill);
    }
    return cancel_next(co);
}

static void cancel_answer(struct cancel *c, const char *state, bool asked)
{
    pack_map(&c->answers, asked ? 4 : 3);
    pack_text(&c->answers, "id");
    pack_uint(&c->answers, c->selection.ids[c->at].id);
    pack_text(&c->answers, "state");
    pack_text(&c->answers, state);
    pack_text(&c->answers, "asked");
    pack_bool(&c->answers, asked);
    if (asked) {
        pack_text(&c->answers, "grace");
        pack_double(&c->answers, c->head.call->control->tasks->grace_ms / 1e3);
    }
    c->count++;
    c->at++;
}

static struct aio_next cancel_return(struct cancel *c)
{
    struct buf b = BUF_INIT;
    pack_array(&b, c->count);
    buf_append(&b, c->answers.data, c->answers.len);
    if (!buf_ok(&c->answers))
        b.failed = true;
    return call_return(&c->head.co, &b);
}

static struct aio_next cancel_next(struct aio_co *co)
{
    struct cancel *c = cancel_of(co);
    struct call *call = c->head.call;
    struct tasks *tasks = call->control->tasks;
    c->call = store_call_unref(c->call);
    if (c->at == c->selection.len)
        return cancel_return(c);
    if (c->asked[c->at])
        return aio_await_try(co, &c->asked[c->at]->future, STEP(cancel_asked));
    const struct task *t = call_task(call, c->selection.ids[c->at].id);
    if (t) { /* it was ending already */
        cancel_answer(c, task_state_name(t->state), false);
        return aio_goto(co, STEP(cancel_next));
    }
    c->call = store_call_new(tasks->sched, STORE_GET);
    if (!c->call)
        return aio_raise(co, -ENOMEM, NULL);
    c->call->op.id = c->selection.ids[c->at].id;
    return aio_await_try(co, store_call_start(c->call, tasks->store), STEP(cancel_row));
}

static struct aio_next cancel_asked(struct aio_co *co)
{
    struct cancel *c = cancel_of(co);
    int err = aio_outcome(co, NULL);
    if (err < 0 && err != -ENOENT)
        return aio_raise(co, err, NULL);
    const struct task *t = call_task(c->head.call, c->selection.ids[c->at].id);
    cancel_answer(c, task_state_name(t ? t->state : TASK_DONE), true);
    return cancel_next(co);
}

static struct aio_next cancel_row(struct aio_co *co)
{
    struct cancel *c = cancel_of(co);
    struct call *call = c->head.call;
    const struct selected *selected = &c->selection.ids[c->at];
    int err = aio_outcome(co, NULL);
    if (err < 0 && err != -ENOENT)
        return aio_raise(co, err, NULL);
    if (err == 0 && call_may_see(call, c->call->op.rows[0].uid)) {
        cancel_answer(c, task_state_name(TASK_DONE), false);
        return cancel_next(co);
    }
    if (!selected->optional)
        return call_fail(call, co, -ENOENT, "there is no task %llu",
                         (unsigned long long)selected->id);
    c->at++;
    return cancel_next(co);
}

const struct aio_co_fn method_cancel = {"cancel", sizeof(struct cancel),
                                        STEP_INIT(cancel_begin), cancel_done};
