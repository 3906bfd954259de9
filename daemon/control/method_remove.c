/* SPDX-License-Identifier: MIT */
/*
 * remove - forgets finished tasks, with their output.
 *
 * begin → selected; for each: a live one is refused, else its row is awaited (row), its removal
 * is awaited (removed), its files go in the executor.
 */
#include <errno.h>

#include "daemon/control/control.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"

struct remove_params {
    const msgpack_object *ids;
};

static const struct field remove_fields[] = {
    {"ids", FIELD_OBJECT, true, offsetof(struct remove_params, ids), 0},
};

struct remove {
    struct method_frame head;
    struct remove_params p;
    struct selection selection; /* owned */
    size_t at;
    struct store_call *call; /* counted */
    uint32_t attempts;       /* of the task that is being removed */
    struct user *user;       /* borrowed: whose it is */
    enum store_outcome outcome;
    struct buf answers; /* owned */
    uint32_t count;
};

static struct aio_next remove_next(struct aio_co *);
static struct aio_next remove_row(struct aio_co *);
static struct aio_next remove_removed(struct aio_co *);

static struct remove *remove_of(struct aio_co *co)
{
    return container_of(co, struct remove, head.co);
}

static void remove_done(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    selection_done(&r->selection);
    store_call_unref(r->call);
    buf_done(&r->answers);
}

static struct aio_next remove_begin(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    struct call *call = r->head.call;
    if (call_params(call, remove_fields, ARRAY_SIZE(remove_fields), &r->p) < 0)
        return call_raise(call, co);
    return aio_delegate(co, select_ids(call, r->p.ids, &r->selection), STEP(remove_next));
}

static void remove_answer(struct remove *r, enum task_state state)
{
    pack_map(&r->answers, 3);
    pack_text(&r->answers, "id");
    pack_uint(&r->answers, r->selection.ids[r->at].id);
    pack_text(&r->answers, "state");
    pack_text(&r->answers, task_state_name(state));
    pack_text(&r->answers, "removed");
    pack_bool(&r->answers, state == TASK_DONE);
    r->count++;
    r->at++;
}

static struct store_call *remove_call(struct remove *r, enum store_verb verb)
{
    store_call_unref(r->call);
    r->call = store_call_new(r->head.call->control->tasks->sched, verb);
    if (r->call)
        r->call->op.id = r->selection.ids[r->at].id;
    return r->call;
}

static struct aio_next remove_next(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    struct call *call = r->head.call;
    if (r->at == r->selection.len) {
        struct buf b = BUF_INIT;
        pack_array(&b, r->count);
        buf_append(&b, r->answers.data, r->answers.len);
        if (!buf_ok(&r->answers))
            b.failed = true;
        return call_return(co, &b);
    }
    const struct task *t = call_task(call, r->selection.ids[r->at].id);
    if (t) {
        remove_answer(r, t->state);
        return aio_goto(co, STEP(remove_next));
    }
    if (!remove_call(r, STORE_GET))
        return aio_raise(co, -ENOMEM, NULL);
    return aio_await_try(co, store_call_start(r->call, call->control->tasks->store),
                         STEP(remove_row));
}

static struct aio_next remove_row(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    struct call *call = r->head.call;
    struct tasks *tasks = call->control->tasks;
    const struct selected *selected = &r->selection.ids[r->at];
    int err = aio_outcome(co, NULL);
    if (err < 0 && err != -ENOENT)
        return aio_raise(co, err, NULL);
    const struct store_task *row = err == 0 ? &r->call->op.rows[0] : NULL;
    if (!row || !call_may_see(call, row->uid) || row->outcome == STORE_LIVE) {
        if (!selected->optional)
            return call_fail(call, co, -ENOENT, "there is no task %llu",
                             (unsigned long long)selected->id);
        r->at++;
        return remove_next(co);
    }
    r->attempts = row->attempt;
    r->outcome = row->outcome;
    r->user = tasks_user(tasks, row->uid);
    if (!remove_call(r, STORE_REMOVE))
        return aio_raise(co, -ENOMEM, NULL);
    return aio_await_try(co, store_call_start(r->call, tasks->store), STEP(remove_removed));
}

static struct aio_next remove_removed(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    struct tasks *tasks = r->head.call->control->tasks;
    int err = r->call->op.err;
    if (err < 0 && err != -ENOENT)
        return aio_raise(co, err, NULL);
    if (err == 0) {
        struct store_counts *counts = r->user ? &r->user->finished : &(struct store_counts){0};
        counts->ok -= r->outcome == STORE_OK;
        counts->failed -= r->outcome == STORE_FAILED;
        counts->cancelled -= r->outcome == STORE_CANCELLED;
        tasks_remove_output(tasks, r->selection.ids[r->at].id, r->attempts);
    }
    if (aio_outcome(co, NULL) == -ECANCELED)
        return aio_raise(co, -ECANCELED, NULL);
    remove_answer(r, TASK_DONE);
    return remove_next(co);
}

const struct aio_co_fn method_remove = {"remove", sizeof(struct remove),
                                        STEP_INIT(remove_begin), remove_done};
