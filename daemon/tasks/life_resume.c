/* SPDX-License-Identifier: MIT */
/*
 * The life of a task that was loaded at start, until it joins the common path (life.c).
 *
 *   resumed  without an attempt on record: goes on as if it had just been accepted
 *   fate     what became of the attempt? awaits until that can be told
 *
 * Known or lost: attach takes its slot back, awaits the row and attaches the function, which
 * raises what is lost. Never sent: it awaits a place and a slot like any other, awaits the row
 * and starts it, under the same token.
 */
#include "daemon/aio/sleep.h"
#include "daemon/tasks/life_private.h"
#include "daemon/tasks/line.h"
#include "daemon/tasks/tasks.h"

static struct aio_next life_resumed(struct aio_co *);
static struct aio_next life_fate(struct aio_co *);
static struct aio_next life_get_row(struct life *, struct aio_step next);
static struct aio_next life_unsent_placed(struct aio_co *);
static struct aio_next life_unsent_slot(struct aio_co *);
static struct aio_next life_start_again(struct aio_co *);
static struct aio_next life_attach(struct aio_co *);
static struct aio_next life_row_again(struct aio_co *);

const struct aio_co_fn life_resume_fn = {"life", sizeof(struct life), STEP_INIT(life_resumed),
                                         life_done};

static struct aio_next life_resumed(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    t->begun = true;
    if (t->tasks->stopping)
        return life_leave(life);
    if (!t->attempt) {
        if (t->cancel_ns)
            return life_failed(life, -ECANCELED, NULL);
        return life_time(life);
    }
    return aio_goto(co, STEP(life_fate));
}

/* A cancel while the spawner is awaited changes nothing yet: what it did has to be known first.
 */
static struct aio_next life_fate(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    if (t->tasks->stopping)
        return life_leave(life);
    void *ctx = functions_ctx(&t->tasks->functions, t->function);
    struct aio_future *wait = NULL;
    enum attempt_fate fate = t->function->fate ? t->function->fate(ctx, t, &wait) : FATE_KNOWN;
    if (fate == FATE_WAIT) {
        /* one that had started either runs on or has ended */
        task_enter_since(t, t->pid ? TASK_RUNNING : TASK_PENDING, AWAITS_SPAWNER,
                         t->pid ? t->started_ns : t->since_ns);
        return aio_await_try(co, wait, STEP(life_fate));
    }
    if (t->function->slot && fate != FATE_UNSENT)
        line_seize(t);
    if (t->function->fate)
        tasks_settled(t->tasks);
    if (fate == FATE_UNSENT) {
        if (t->cancel_ns)
            return life_failed(life, -ECANCELED, NULL);
        return life_queue(life, STEP(life_unsent_placed));
    }
    return life_get_row(life, STEP(life_attach));
}

/* The arguments were not kept in memory. */
static struct aio_next life_get_row(struct life *life, struct aio_step next)
{
    struct store_call *call = life_call(life, STORE_GET);
    if (!call)
        return aio_goto(&life->co, next);
    return aio_await_try(&life->co, store_call_start(call, life->task->tasks->store), next);
}

static struct aio_next life_unsent_placed(struct aio_co *co)
{
    struct life *life = life_of(co);
    int err = aio_outcome(co, NULL);
    if (err < 0)
        return life_failed(life, err, NULL);
    life->task->has_place = true;
    return aio_delegate_try(co, line_await_slot(life->task), STEP(life_unsent_slot));
}

static struct aio_next life_unsent_slot(struct aio_co *co)
{
    struct life *life = life_of(co);
    int err = aio_outcome(co, NULL);
    if (err < 0)
        return life_failed(life, err, NULL);
    life->task->has_slot = true;
    return life_get_row(life, STEP(life_start_again));
}

static struct aio_next life_start_again(struct aio_co *co)
{
    struct life *life = life_of(co);
    int err = life->call ? aio_outcome(co, NULL) : -ENOMEM;
    if (err < 0)
        return life_failed(life, err, NULL);
    return life_run(life, false);
}

/* Its command runs, so nothing may be said of it before its row could be read. */
static struct aio_next life_get_row_later(struct life *life)
{
    if (life->call)
        tasks_store_failed(life->task->tasks, life->call->op.err);
    return aio_delegate_try(&life->co, aio_sleep(AIO_AWAKE, LIFE_RETRY_MS * NSEC_PER_MSEC),
                            STEP(life_row_again));
}

static struct aio_next life_row_again(struct aio_co *co)
{
    if (life_of(co)->task->tasks->stopping)
        return life_leave(life_of(co));
    return life_get_row(life_of(co), STEP(life_attach));
}

/* A cancel that was asked for before the restart is asked for again: the function's first await
 * sees it. */
static struct aio_next life_attach(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    if (t->tasks->stopping)
        return life_leave(life);
    if (!life->call || life->call->op.err < 0)
        return life_get_row_later(life);
    struct aio_next next = life_run(life, true);
    if (t->cancel_ns)
        aio_task_cancel(t->life, NULL);
    return next;
}
