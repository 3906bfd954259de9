/* SPDX-License-Identifier: MIT */
/*
 * In time order: aio_task_new queues the step; task_step resumes the innermost coroutine and
 * runs step functions until one awaits what is pending, yields, or the outermost
 * coroutine has ended (the trampoline: delegating and returning change task->co, never the C
 * stack); the awaited future's completion queues aio_task_wakeup, which hands its outcome over
 * and calls task_step again. The end frees the coroutine, then completes the future, then
 * drops the scheduler's reference.
 *
 * Cancelling: what is awaited is cancelled, else must_cancel makes the next step begin with
 * -ECANCELED in place of whatever it would have seen.
 */
#include "daemon/aio/task.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/aio/internal.h"
#include "daemon/aio/pool.h"

static bool task_future_cancel(struct aio_future *, struct value *reason);
static void task_future_free(struct aio_future *);

static const struct aio_future_ops task_ops = {
    .cancel = task_future_cancel,
    .free = task_future_free,
    .sealed = true,
};

static struct aio_task *task_of_future(struct aio_future *f)
{
    return container_of(f, struct aio_task, future);
}

/* The task that this one waits for, directly; NULL when it waits for none. */
static struct aio_task *task_awaited_task(const struct aio_task *task)
{
    struct aio_future *f = task->awaiting.future;

    if (!f || f->ops != &task_ops || aio_future_is_done(f))
        return NULL;
    return task_of_future(f);
}

static void task_set_reason(struct aio_task *task, struct value *reason)
{
    value_ref(reason);
    value_unref(task->reason);
    task->reason = reason;
}

/* ---- steps ---- */

/* A cancellation that is still to be delivered replaces what the step would have seen. */
static void task_deliver_cancel(struct aio_task *task)
{
    struct aio_co *co = task->co;

    if (!task->must_cancel)
        return;
    task->must_cancel = false;
    if (co->err == -ECANCELED)
        return;
    value_unref(co->value);
    co->value = value_ref(task->reason);
    co->err = -ECANCELED;
}

static void task_finish(struct aio_task *task, int err, struct value *taken)
{
    if (err == 0 && task->must_cancel) {
        task->must_cancel = false;
        value_unref(taken);
        err = -ECANCELED;
        taken = value_ref(task->reason);
    }
    if (err == -ECANCELED)
        aio_future_complete(&task->future, AIO_CANCELLED, 0, taken);
    else
        aio_future_complete(&task->future, AIO_FINISHED, err, taken);
}

/* The innermost coroutine has ended: its caller goes on, or the task is done. */
static void task_pop(struct aio_task *task)
{
    struct aio_co *co = task->co;
    struct aio_co *caller = co->caller;
    struct value *value = TAKE_PTR(co->value);
    int err = co->err;

    task->co = caller;
    aio_co_free(co);
    if (!caller) {
        task_finish(task, err, value);
        return;
    }
    caller->err = err;
    caller->value = value;
}

static void task_take_outcome(struct aio_co *co, struct aio_future *f)
{
    struct value *value;

    co->awaited = NULL;
    co->err = aio_future_result(f, &value);
    co->value = value_ref(value);
}

/* Waits for what the step awaits. Returns false when that is done already: go on at once. */
static bool task_suspend(struct aio_task *task, struct aio_co *co)
{
    struct aio_future *f = co->awaited;

    if (f == &task->future || f->sched != task->future.sched) {
        co->awaited = NULL;
        co->err = f == &task->future ? -EDEADLK : -EINVAL;
        aio_call_soon(task->future.sched, &task->step);
        return true;
    }
    if (aio_future_is_done(f)) {
        task_take_outcome(co, f);
        return false;
    }
    aio_future_add_done(f, &task->awaiting, aio_task_wakeup);
    if (task->must_cancel && aio_future_cancel(f, task->reason))
        task->must_cancel = false;
    return true;
}

static enum aio_verdict task_run_step(struct aio_task *task, struct aio_co *co)
{
    const struct aio_sched *sched = task->future.sched;

    if (co->err < 0 && !co->try_)
        return AIO_DO_END; /* the error passes up, past the step */
    struct value *seen = co->value;
    const char *name = co->next.name;
    enum aio_verdict verdict = (enum aio_verdict)co->next.run(co).verdict;
    if (verdict != AIO_DO_GOTO)
        value_unref(seen);
    if (sched->trace)
        sched->trace(sched->trace_ctx, task, name);
    return verdict;
}

/* The trampoline: until the task waits or is done. */
static void task_run(struct aio_task *task)
{
    while (task->co) {
        struct aio_co *co = task->co;
        switch (task_run_step(task, co)) {
        case AIO_DO_AWAIT:
            if (task_suspend(task, co))
                return;
            break;
        case AIO_DO_YIELD:
            aio_call_soon(task->future.sched, &task->step);
            return;
        case AIO_DO_END:
            task_pop(task);
            break;
        case AIO_DO_DELEGATE:
        case AIO_DO_RESUME:
        case AIO_DO_GOTO:
            break;
        }
    }
}

/* Accounts the step that began at start: the one clock read of a step. */
static void task_account(struct aio_task *task, uint64_t start)
{
    struct aio_sched *sched = task->future.sched;
    struct aio_task_stats *stats = &task->stats;

    sched->steps++;
    if (stats->steps < UINT32_MAX)
        stats->steps++;
    if (!sched->step_clock)
        return;
    uint64_t end = aio_sched_step_clock(sched);
    uint64_t ran = end > start ? end - start : 0;
    sched->step_end = end;
    sched->run_ns += ran;
    if (ran > sched->longest_ns)
        sched->longest_ns = ran;
    stats->run_ns += ran;
    if (ran > stats->longest_ns)
        stats->longest_ns = ran < UINT32_MAX ? (uint32_t)ran : UINT32_MAX;
    task->since_ns = end;
}

static void task_step(struct aio_task *task)
{
    struct aio_sched *sched = task->future.sched;
    uint64_t start = sched->step_end;

    if (start > task->since_ns)
        task->stats.ready_ns += start - task->since_ns;
    task->since_ns = start;
    task_deliver_cancel(task);
    sched->current = task;
    task_run(task);
    sched->current = NULL;
    task_account(task, start);
    if (aio_future_is_done(&task->future))
        aio_task_unref(task); /* the scheduler's reference */
}

static void task_step_handle(struct aio_handle *handle)
{
    task_step(container_of(handle, struct aio_task, step));
}

void aio_task_wakeup(struct aio_done *done, struct aio_future *f)
{
    struct aio_task *task = container_of(done, struct aio_task, awaiting);

    task_take_outcome(task->co, f);
    task_step(task);
}

void aio_task_woken(struct aio_done *done)
{
    struct aio_task *task = container_of(done, struct aio_task, awaiting);
    task->since_ns = task->future.sched->step_end;
}

/* ---- cancellation ---- */

/* Cancels a future that is no task; or, when that is refused, the task that awaits it. */
static void task_cancel_last(struct aio_task *task, struct value *reason)
{
    struct aio_future *f = task->awaiting.future;

    if (!f || !aio_future_cancel(f, reason))
        task->must_cancel = true;
}

/* Tasks that await each other in a circle: there is nothing at the end that would wake them, so
 * the one that closes the circle stops waiting. */
static void task_cancel_circle(struct aio_task *task)
{
    aio_future_remove_done(&task->awaiting);
    task->co->awaited = NULL;
    task->must_cancel = true;
    task->since_ns = task->future.sched->step_end;
    aio_call_soon(task->future.sched, &task->step);
}

bool aio_task_cancel(struct aio_task *task, struct value *reason_borrowed)
{
    struct aio_task *last, *awaited = task;

    if (aio_future_is_done(&task->future))
        return aio_future_cancel(&task->future, NULL);
    do { /* every task of the chain has been asked, as if each had cancelled the next one */
        last = awaited;
        last->visited = true;
        last->cancelling++;
        task_set_reason(last, reason_borrowed);
        awaited = task_awaited_task(last);
    } while (awaited && !awaited->visited);

    if (awaited)
        task_cancel_circle(last);
    else
        task_cancel_last(last, reason_borrowed);
    for (; task && task->visited; task = task_awaited_task(task))
        task->visited = false;
    return true;
}

static bool task_future_cancel(struct aio_future *f, struct value *reason)
{
    return aio_task_cancel(task_of_future(f), reason);
}

uint32_t aio_task_cancelling(const struct aio_task *task)
{
    return task->cancelling;
}

uint32_t aio_task_uncancel(struct aio_task *task)
{
    if (task->cancelling > 0 && --task->cancelling == 0)
        task->must_cancel = false;
    return task->cancelling;
}

/* ---- life ---- */

struct aio_task *aio_task_new(struct aio_sched *sched, struct aio_co *taken)
{
    if (!taken)
        return NULL;
    struct aio_task *task = aio_pool_take(sizeof(*task));
    if (!task) {
        aio_co_free(taken);
        return NULL;
    }
    aio_future_init(&task->future, sched, &task_ops);
    task->future.refs = 2; /* the caller's and, until it is done, the scheduler's */
    task->co = taken;
    taken->task = task;
    aio_handle_init(&task->step, task_step_handle);
    sched->tasks++;
    aio_call_soon(sched, &task->step);
    task->since_ns = sched->step_end;
    return task;
}

struct aio_task *aio_task_ref(struct aio_task *task)
{
    if (task)
        aio_future_ref(&task->future);
    return task;
}

struct aio_task *aio_task_unref(struct aio_task *task)
{
    if (task)
        aio_future_unref(&task->future);
    return NULL;
}

static void task_future_free(struct aio_future *f)
{
    struct aio_task *task = task_of_future(f);

    f->sched->tasks--;
    value_unref(task->reason);
    aio_pool_give(task, sizeof(*task));
}

/* ---- looking at one ---- */

enum aio_task_phase aio_task_phase(const struct aio_task *task)
{
    const struct aio_future *f = task->awaiting.future;

    if (aio_future_is_done(&task->future))
        return AIO_TASK_DONE;
    if (task->future.sched->current == task)
        return AIO_TASK_RUNNING;
    return f && !aio_future_is_done(f) ? AIO_TASK_SUSPENDED : AIO_TASK_READY;
}

struct aio_task *aio_task_current(const struct aio_sched *sched)
{
    return sched->current;
}

const char *aio_task_step_name(const struct aio_task *task)
{
    return task->co ? task->co->next.name : NULL;
}

const char *aio_task_function_name(const struct aio_task *task)
{
    return task->co ? task->co->fn->name : NULL;
}
