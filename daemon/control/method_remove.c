/* SPDX-License-Identifier: MIT */
/*
 * remove - forgets finished tasks, with their output.
 *
 * begin → next queues removals, at most REMOVE_AHEAD of them, and awaits the oldest (removed); so
 * thousands share a commit. Live ones are refused. Their files go in the executor, many at a
 * time.
 *
 * How it fails. A task that is not there, or is another user's: the others are removed all the
 * same, then it raises. The client leaves, or the daemon stops: nothing more is queued, what is
 * queued is awaited and counted.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/control/answers.h"
#include "daemon/control/control.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"

/* One batch of the store's is being committed while the next one forms. */
enum { REMOVE_AHEAD = 2 * LIMIT_STORE_BATCH_OPS, REMOVE_FILES = 256 };

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
    size_t queued;              /* the next one to queue */
    size_t at;                  /* the next one to answer */
    struct store_call **calls;  /* owned ring of REMOVE_AHEAD, counted; NULL: not queued */
    struct tasks_removed files[REMOVE_FILES];
    size_t nfiles;
    struct answers answers; /* owned */
    uint64_t missing;       /* the first that is not there; 0: none */
    int err; /* that ends it once nothing is queued any more: of the store, or a cancel */
};

static struct aio_next remove_next(struct aio_co *);
static struct aio_next remove_removed(struct aio_co *);

static struct remove *remove_of(struct aio_co *co)
{
    return container_of(co, struct remove, head.co);
}

static void remove_done(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    for (size_t i = 0; r->calls && i < REMOVE_AHEAD; i++)
        store_call_unref(r->calls[i]);
    free(r->calls);
    selection_done(&r->selection);
    answers_end(&r->answers);
}

static struct aio_next remove_selected(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    answers_begin(&r->answers, r->selection.len);
    r->calls = calloc(REMOVE_AHEAD, sizeof(struct store_call *));
    return r->calls ? remove_next(co) : aio_raise(co, -ENOMEM, NULL);
}

static struct aio_next remove_begin(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    struct call *call = r->head.call;
    if (call_params(call, remove_fields, ARRAY_SIZE(remove_fields), &r->p) < 0)
        return call_raise(call, co);
    return aio_delegate(co, select_ids(call, r->p.ids, &r->selection), STEP(remove_selected));
}

static void remove_answer(struct remove *r, uint64_t id, enum task_state state)
{
    struct buf *b = answers_add(&r->answers, state != TASK_DONE);
    if (!b)
        return;
    pack_map(b, 3);
    pack_text(b, "id");
    pack_uint(b, id);
    pack_text(b, "state");
    pack_text(b, task_state_name(state));
    pack_text(b, "removed");
    pack_bool(b, state == TASK_DONE);
}

static void remove_flush_files(struct remove *r)
{
    tasks_remove_output(r->head.call->control->tasks, r->files, r->nfiles);
    r->nfiles = 0;
}

/* Queues the removal of the next one, unless it lives. */
static void remove_queue(struct remove *r)
{
    struct call *call = r->head.call;
    struct tasks *tasks = call->control->tasks;
    size_t i = r->queued++;
    r->calls[i % REMOVE_AHEAD] = NULL;
    if (call_task(call, r->selection.ids[i].id))
        return;
    struct store_call *remove = store_call_new(tasks->sched, STORE_REMOVE);
    if (!remove) {
        r->err = -ENOMEM;
        r->queued--;
        return;
    }
    remove->op.id = r->selection.ids[i].id;
    remove->op.remove.only_uid = call_may_see(call, UINT32_MAX) ? UINT32_MAX : call->peer->uid;
    r->calls[i % REMOVE_AHEAD] = remove;
    store_call_start(remove, tasks->store);
}

static struct aio_next remove_return(struct remove *r)
{
    struct call *call = r->head.call;
    remove_flush_files(r);
    if (r->err < 0)
        return aio_raise(&r->head.co, r->err, NULL);
    if (r->missing)
        return call_fail(call, &r->head.co, -ENOENT,
                         r->answers.done ? "there is no task %llu (the others are removed)"
                                         : "there is no task %llu",
                         (unsigned long long)r->missing);
    return answers_return(&r->answers, &r->head.co);
}

static struct aio_next remove_next(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    for (;;) {
        while (!r->err && r->queued < r->selection.len && r->queued - r->at < REMOVE_AHEAD)
            remove_queue(r);
        if (r->at == r->queued)
            return remove_return(r);
        struct store_call *call = r->calls[r->at % REMOVE_AHEAD];
        if (call)
            return aio_await_try(co, &call->future, STEP(remove_removed));
        uint64_t id = r->selection.ids[r->at++].id;
        const struct task *t = call_task(r->head.call, id);
        remove_answer(r, id, t ? t->state : TASK_RUNNING);
    }
}

static void remove_account(struct remove *r, uint64_t id, const struct store_remove *removed)
{
    struct tasks *tasks = r->head.call->control->tasks;
    struct user *user = tasks_user(tasks, removed->uid);
    if (user)
        tasks_uncount(user, removed->outcome);
    watch_tell_removed(&tasks->watchers, id, removed->uid, removed->group);
    r->files[r->nfiles++] = (struct tasks_removed){id, removed->attempts};
    if (r->nfiles == REMOVE_FILES)
        remove_flush_files(r);
    remove_answer(r, id, TASK_DONE);
}

static struct aio_next remove_removed(struct aio_co *co)
{
    struct remove *r = remove_of(co);
    struct tasks *tasks = r->head.call->control->tasks;
    const struct store_call *call = r->calls[r->at % REMOVE_AHEAD];
    const struct selected *selected = &r->selection.ids[r->at++];
    if (aio_outcome(co, NULL) == -ECANCELED)
        r->err = -ECANCELED;
    if (call->op.err == 0) {
        remove_account(r, selected->id, &call->op.remove);
    } else if (call->op.err == -ENOENT || call->op.err == -EBUSY) {
        if (!selected->optional && !r->missing)
            r->missing = selected->id;
    } else {
        tasks_store_failed(tasks, call->op.err);
        r->err = call->op.err;
    }
    size_t place = (r->at - 1) % REMOVE_AHEAD;
    r->calls[place] = store_call_unref(r->calls[place]);
    return remove_next(co);
}

const struct aio_co_fn method_remove = {"remove", sizeof(struct remove),
                                        STEP_INIT(remove_begin), remove_done};
