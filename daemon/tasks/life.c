/* SPDX-License-Identifier: MIT */
/*
 * The happy path, in time order (the names are those of the steps):
 *
 *   begin     awaits the commit of the submit             → whoever submitted is answered
 *   accepted  awaits its time
 *   due       awaits a place in its group, if the function needs a slot
 *   placed    awaits the commit of the attempt            → the row comes back with args, env,
 *             and what the function prepares on the store's thread
 *   recorded  awaits a slot of its group
 *   run       awaits the function; how it ends is told in life_end.c
 *
 * A task that was loaded enters at `resumed`. Without an attempt on record it goes on as if it
 * had just been accepted; with one, what became of the attempt (`fate`) decides: attach the
 * function to it, start it (it never was), or the outcome is lost, which attach raises.
 *
 * How it fails. Cancelled anywhere before the function has returned: the outcome is
 * "cancelled"; the function ends its process first. A commit that fails because the disk is full
 * fails the task before its function ran. An I/O error ends the daemon (tasks_store_failed):
 * this life waits for that end. Stopping: every await is cancelled, nothing is recorded, the
 * next aiod resumes.
 */
#include "daemon/tasks/life.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "daemon/aio/sleep.h"
#include "daemon/tasks/life_private.h"
#include "daemon/tasks/line.h"
#include "daemon/tasks/tasks.h"

static struct aio_next life_begin(struct aio_co *);
static struct aio_next life_accepted(struct aio_co *);
static struct aio_next life_due(struct aio_co *);
static struct aio_next life_open(struct aio_co *);
static struct aio_next life_placed(struct aio_co *);
static struct aio_next life_recorded(struct aio_co *);
static struct aio_next life_slot(struct aio_co *);

void life_done(struct aio_co *co)
{
    struct life *life = life_of(co);
    store_call_unref(life->call);
    value_unref(life->result);
    value_unref(life->usage);
}

static const struct aio_co_fn life_fn = {"life", sizeof(struct life), STEP_INIT(life_begin),
                                         life_done};

void life_let_go(struct task *t, bool recorded)
{
    line_leave(t);
    line_release(t);
    if (t->function->settled)
        t->function->settled(functions_ctx(&t->tasks->functions, t->function), t, recorded);
}

/* An attempt that was recorded ahead, and that nobody was told of, is taken back: if the
 * spawner stops as well, the next one could not tell that it never started. */
static void life_unrecord(struct task *t)
{
    struct aio_future *wait = NULL;
    void *ctx = functions_ctx(&t->tasks->functions, t->function);
    if (!t->attempt || t->ending || !t->function->fate)
        return;
    if (t->attached && t->function->fate(ctx, t, &wait) != FATE_UNSENT)
        return;
    struct store_call *call = store_call_new(t->tasks->sched, STORE_ATTEMPT);
    if (!call)
        return;
    call->op.id = t->id;
    call->op.attempt.id = t->id;
    call->op.attempt.attempt = t->attempt - 1;
    store_call_start(call, t->tasks->store);
    store_call_unref(call);
}

/* The daemon stops: the task stays in the store as it is there. */
struct aio_next life_leave(struct life *life)
{
    struct task *t = life->task;
    life_unrecord(t);
    life_let_go(t, false);
    tasks_forget(t);
    return aio_raise(&life->co, -ECANCELED, NULL);
}

/* The call that the next step awaits; the one before it is not needed any more. */
struct store_call *life_call(struct life *life, enum store_verb verb)
{
    store_call_unref(life->call);
    life->call = store_call_new(life->task->tasks->sched, verb);
    if (life->call)
        life->call->op.id = life->task->id;
    return life->call;
}

static struct aio_next life_begin(struct aio_co *co)
{
    struct life *life = life_of(co);
    life->task->begun = true;
    task_enter(life->task, TASK_PENDING, AWAITS_STORE);
    return aio_await_try(co, &life->call->future, STEP(life_accepted));
}

static void life_answer(struct task *t, int err)
{
    struct aio_future *accepted = TAKE_PTR(t->accepted);
    if (!accepted)
        return;
    if (err < 0)
        aio_future_set_error(accepted, err, NULL);
    else
        aio_future_set_result(accepted, NULL);
    aio_future_unref(accepted);
}

static struct aio_next life_accepted(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    int err = life->call ? life->call->op.err : 0; /* what the disk said, cancelled or not */
    life_answer(t, err);
    if (err < 0) {
        tasks_store_failed(t->tasks, err);
        if (t->ended) /* somebody awaits what will never have been */
            aio_future_set_error(t->ended, -ENOENT, NULL);
        tasks_forget(t);
        return aio_raise(co, err, NULL);
    }
    life->call = store_call_unref(life->call);
    if (watched(&t->tasks->watchers))
        watch_tell_state(&t->tasks->watchers, t, NULL);
    if (t->cancel_ns || t->tasks->stopping)
        return life_failed(life, -ECANCELED, NULL);
    return life_time(life);
}

struct aio_next life_time(struct life *life)
{
    struct aio_co *co = &life->co;
    struct task *t = life->task;
    if (!t->due_ns)
        return aio_goto(co, STEP(life_due));
    task_enter(t, TASK_PENDING, AWAITS_TIMER);
    uint64_t wall = clock_wall();
    uint64_t now = t->due_clock == AIO_BOOT ? clock_boot() : wall;
    t->until_ns = wall + (t->due_ns > now ? t->due_ns - now : 0);
    return aio_delegate_try(co, aio_sleep_until(t->due_clock, t->due_ns), STEP(life_due));
}

static struct aio_next life_due(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    if (t->due_ns && aio_outcome(co, NULL) < 0)
        return life_failed(life, aio_outcome(co, NULL), NULL);
    t->due_ns = 0;
    if (!t->function->slot)
        return aio_goto(co, STEP(life_placed));
    return life_queue(life, STEP(life_placed));
}

/* After a restart nobody queues before it is known what still runs (tasks->open). */
struct aio_next life_queue(struct life *life, struct aio_step placed)
{
    struct task *t = life->task;
    task_enter(t, TASK_PENDING, AWAITS_SLOT);
    if (t->tasks->open)
        return aio_delegate_try(&life->co, line_await_place(t), placed);
    task_enter(t, TASK_PENDING, AWAITS_SPAWNER);
    life->placed = placed;
    aio_future_unref(t->gate);
    t->gate = aio_future_new(t->tasks->sched);
    return aio_await_try(&life->co, t->gate, STEP(life_open));
}

static struct aio_next life_open(struct aio_co *co)
{
    struct life *life = life_of(co);
    int err = aio_outcome(co, NULL);
    if (err < 0)
        return life_failed(life, err, NULL);
    return life_queue(life, life->placed);
}

static struct aio_next life_placed(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    struct tasks *tasks = t->tasks;
    if (t->function->slot) {
        int err = aio_outcome(co, NULL);
        if (err < 0)
            return life_failed(life, err, NULL);
        t->has_place = true;
    }
    struct store_call *call = life_call(life, STORE_ATTEMPT);
    if (!call)
        return life_failed(life, -ENOMEM, NULL);
    struct store_attempt *attempt = &call->op.attempt;
    attempt->id = t->id;
    attempt->attempt = t->attempt + 1;
    attempt->wall_ns = clock_wall();
    attempt->boot_ns = clock_boot();
    memcpy(attempt->boot, tasks->boot_id, sizeof(attempt->boot));
    void *ctx = functions_ctx(&tasks->functions, t->function);
    const uint8_t *spawner = t->function->spawner_id ? t->function->spawner_id(ctx) : NULL;
    if (spawner)
        memcpy(attempt->spawner, spawner, sizeof(attempt->spawner));
    if (getrandom(attempt->token, sizeof(attempt->token), 0) != sizeof(attempt->token))
        return life_failed(life, -EIO, NULL);
    if (t->function->ahead)
        store_call_then(call, t->function->ahead(ctx, t), t->function->prepare);
    if (!t->function->slot)
        task_enter(t, TASK_PENDING, AWAITS_STORE);
    return aio_await_try(co, store_call_start(call, tasks->store), STEP(life_recorded));
}

static struct aio_next life_recorded(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    int err = aio_outcome(co, NULL);
    if (life->call->op.err == 0) {
        t->attempt++;
        if (!t->function->slot) /* what needs no process starts with its attempt */
            t->started_ns = life->call->op.attempt.wall_ns;
    } else {
        tasks_store_failed(t->tasks, life->call->op.err);
    }
    if (err < 0)
        return life_failed(life, err, NULL);
    if (!t->function->slot)
        return aio_goto(co, STEP(life_slot));
    return aio_delegate_try(co, line_await_slot(t), STEP(life_slot));
}

/* Runs the function; the row of the attempt goes with it. */
struct aio_next life_run(struct life *life, bool attach)
{
    struct task *t = life->task;
    line_leave(t);
    void *ctx = functions_ctx(&t->tasks->functions, t->function);
    const struct store_task *row = &life->call->op.rows[0];
    struct aio_co *function = attach ? t->function->attach(ctx, t, row)
                                     : t->function->new (ctx, t, row, life->call->job);
    life->call = store_call_unref(life->call);
    return aio_delegate_try(&life->co, function, STEP(life_returned));
}

static struct aio_next life_slot(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    if (t->function->slot) {
        int err = aio_outcome(co, NULL);
        if (err < 0)
            return life_failed(life, err, NULL);
        t->has_slot = true;
    }
    return life_run(life, false);
}

static int life_spawn(struct task *t, const struct aio_co_fn *fn, struct store_call *call)
{
    struct aio_co *co = aio_co_new(fn);
    if (!co) {
        store_call_unref(call);
        return -ENOMEM;
    }
    life_of(co)->task = t;
    life_of(co)->call = call;
    t->life = aio_task_new(t->tasks->sched, co);
    return t->life ? 0 : -ENOMEM;
}

int life_submit(struct task *t, struct store_call *submitted)
{
    return life_spawn(t, &life_fn, submitted);
}

int life_resume(struct task *t, const struct store_task *row)
{
    if (row->attempt && t->function->expect) {
        void *ctx = functions_ctx(&t->tasks->functions, t->function);
        int r = t->function->expect(ctx, t, row);
        if (r < 0)
            return r;
        t->tasks->unsettled++;
    }
    return life_spawn(t, &life_resume_fn, NULL);
}

/* One that has not taken its first step would never take it: it looks for itself then. */
void life_cancel(struct task *t)
{
    if (t->life && t->begun)
        aio_task_cancel(t->life, NULL);
}
