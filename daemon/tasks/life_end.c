/* SPDX-License-Identifier: MIT */
/*
 * The end of a life, whichever way it came (the names are those of the steps):
 *
 *   returned        the function is over, or an await on the way to it was
 *   record_outcome  gives back slot and place, awaits the commit of the outcome
 *   ended           wakes who awaits it, tells who watches, frees the record
 *
 * How it fails. A disk that is full, or no memory: nothing that has finished is forgotten, so
 * the commit is tried again after LIFE_RETRY_MS (record_later), until it is on disk or the
 * daemon stops.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/aio/sleep.h"
#include "daemon/tasks/life_private.h"
#include "daemon/tasks/line.h"
#include "daemon/tasks/tasks.h"
#include "daemon/tasks/view.h"

static struct aio_next life_record_outcome(struct aio_co *);
static struct aio_next life_record_later(struct aio_co *);
static struct aio_next life_ended(struct aio_co *);

/* Ends the task with what the last await raised. */
struct aio_next life_failed(struct life *life, int err, struct value *details)
{
    struct task *t = life->task;
    if (t->tasks->stopping)
        return life_leave(life);
    life->outcome = err == -ECANCELED ? STORE_CANCELLED : STORE_FAILED;
    if (details)
        life->result = value_ref(details);
    else if (err != -ECANCELED)
        life->result = view_error("OSError", strerror(-err), -1, -1);
    return life_record_outcome(&life->co);
}

struct aio_next life_returned(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct value *value;
    int err = aio_outcome(co, &value);
    if (err < 0)
        return life_failed(life, err, value);
    life->outcome = STORE_OK;
    life->result = value_ref(value);
    return life_record_outcome(co);
}

/* What it used, as the protocol shows it; NULL without memory: an outcome is never held up. */
static struct value *life_usage(const struct task *t)
{
    const struct aio_task_stats *stats = &t->life->stats;
    _cleanup_(buf_done) struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    if (t->usage.maxrss_kib) {
        pack_key(&b, &map, "user_s");
        pack_double(&b, (double)t->usage.user_us / 1e6);
        pack_key(&b, &map, "system_s");
        pack_double(&b, (double)t->usage.system_us / 1e6);
        pack_key(&b, &map, "maxrss_kib");
        pack_uint(&b, t->usage.maxrss_kib);
    }
    pack_key(&b, &map, "steps");
    pack_uint(&b, stats->steps);
    pack_key(&b, &map, "longest_us");
    pack_uint(&b, stats->longest_ns / 1000);
    pack_key(&b, &map, "run_us");
    pack_uint(&b, stats->run_ns / 1000);
    pack_map_end(&b, &map);
    return pack_take(&b);
}

/* Entered with life->outcome and life->result set; and again when the disk was full. */
static struct aio_next life_record_outcome(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    t->ending = true;
    line_leave(t);
    line_release(t);
    task_enter(t, t->state, AWAITS_STORE);
    if (!life->ended_ns) {
        life->ended_ns = clock_wall();
        life->usage = life_usage(t);
    }
    struct store_call *call = life_call(life, STORE_END);
    if (!call)
        return life_record_later(co);
    call->op.lazy = !t->ended;
    call->op.end = (struct store_end){.id = t->id,
                                      .outcome = life->outcome,
                                      .wall_ns = life->ended_ns,
                                      .result = life->result,
                                      .usage = life->usage};
    return aio_await_try(co, store_call_start(call, t->tasks->store), STEP(life_ended));
}

/* The finished task for those who await it, as the store would give it. */
static struct value *life_final_view(const struct life *life)
{
    const struct task *t = life->task;
    const struct store_task row = {
        .id = t->id,
        .uid = t->uid,
        .submitted_ns = t->submitted_ns,
        .function = (char *)t->function->name,
        .group = t->group->name,
        .name = t->name,
        .title = (char *)t->title,
        .attempt = t->attempt,
        .pid = t->pid,
        .started_ns = t->started_ns,
        .retry_of = t->retry_of,
        .cancel_ns = t->cancel_ns,
        .cancel_uid = t->cancel_uid,
        .outcome = life->outcome,
        .ended_ns = life->ended_ns,
        .result = life->result,
        .usage = life->usage,
    };
    _cleanup_(buf_done) struct buf b = BUF_INIT;
    view_finished(&b, &row);
    return pack_take(&b);
}

/* Those who await it, and those who watch. */
static void life_tell(const struct life *life)
{
    struct task *t = life->task;
    struct watchers *watchers = &t->tasks->watchers;
    if (!t->ended && !watched(watchers))
        return;
    _cleanup_(value_unrefp) struct value *done = life_final_view(life);
    if (t->ended)
        aio_future_set_result(t->ended, value_ref(done));
    watch_tell_done(watchers, t, done);
}

static struct aio_next life_ended(struct aio_co *co)
{
    struct life *life = life_of(co);
    struct task *t = life->task;
    int err = life->call->op.err;
    if (err < 0) {
        tasks_store_failed(t->tasks, err);
        if (t->tasks->stopping)
            return life_leave(life);
        return life_record_later(co);
    }
    tasks_count(t->user, life->outcome);
    life_let_go(t, true);
    life_tell(life);
    tasks_forget(t);
    return aio_return(co, NULL);
}

/* The outcome could not be recorded: nothing that has finished is forgotten, so again, until it
 * is. */
static struct aio_next life_record_later(struct aio_co *co)
{
    if (life_of(co)->task->tasks->stopping)
        return life_leave(life_of(co));
    return aio_delegate_try(co, aio_sleep(AIO_AWAKE, LIFE_RETRY_MS * NSEC_PER_MSEC),
                            STEP(life_record_outcome));
}
