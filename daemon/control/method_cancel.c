/* SPDX-License-Identifier: MIT */
/*
 * cancel - Task.cancel() for one or more tasks.
 *
 * begin → ask asks every live task at once → next awaits that each is on disk (asked). Those that
 * are done are looked up (row): a cancel that comes too late is no error.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/control/answers.h"
#include "daemon/control/control.h"
#include "daemon/control/lookup.h"
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
    struct store_call *read; /* counted: a row */
    struct answers answers;  /* owned */
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
    store_call_unref(c->read);
    answers_end(&c->answers);
}

static struct aio_next cancel_begin(struct aio_co *co)
{
    struct cancel *c = cancel_of(co);
    struct call *call = c->head.call;
    if (call_params(call, cancel_fields, ARRAY_SIZE(cancel_fields), &c->p) < 0)
        return call_raise(call, co);
    return aio_delegate(co, select_ids(call, c->p.ids, &c->selection), STEP(cancel_ask));
}

/* All in one step: were they asked one after the other, each slot that is freed would start the
 * next of those that are to be cancelled too. */
static struct aio_next cancel_ask(struct aio_co *co)
{
    struct cancel *c = cancel_of(co);
    struct call *call = c->head.call;
    answers_begin(&c->answers, c->selection.len);
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
    uint64_t id = c->selection.ids[c->at++].id;
    struct buf *b = answers_add(&c->answers, !asked);
    if (!b)
        return;
    pack_map(b, asked ? 4 : 3);
    pack_text(b, "id");
    pack_uint(b, id);
    pack_text(b, "state");
    pack_text(b, state);
    pack_text(b, "asked");
    pack_bool(b, asked);
    if (asked) {
        pack_text(b, "grace");
        pack_double(b, c->head.call->control->tasks->grace_ms / 1e3);
    }
}

static struct aio_next cancel_next(struct aio_co *co)
{
    struct cancel *c = cancel_of(co);
    struct call *call = c->head.call;
    if (c->at == c->selection.len)
        return answers_return(&c->answers, co);
    if (c->asked[c->at])
        return aio_await_try(co, &c->asked[c->at]->future, STEP(cancel_asked));
    const struct selected *selected = &c->selection.ids[c->at];
    const struct task *t = call_task(call, selected->id);
    if (t) { /* it was ending already */
        cancel_answer(c, task_state_name(t->state), false);
        return aio_goto(co, STEP(cancel_next));
    }
    return aio_delegate(co, lookup_row(call, selected->id, selected->optional, &c->read),
                        STEP(cancel_row));
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
    if (c->read)
        cancel_answer(c, task_state_name(TASK_DONE), false);
    else
        c->at++;
    return cancel_next(co);
}

const struct aio_co_fn method_cancel = {"cancel", sizeof(struct cancel),
                                        STEP_INIT(cancel_begin), cancel_done};
