/* SPDX-License-Identifier: MIT */
/*
 * Arms a timer, suspends on a future of its own, returns. The timer completes the future in the
 * turn in which it is due, the sleeper goes on in the next, as asyncio's does. Fails with
 * -ENOMEM when the timer finds no place; a cancelled sleep takes its timer back.
 */
#include "daemon/aio/sleep.h"

struct sleep {
    struct aio_co co;
    struct aio_future elapsed;
    struct aio_timer timer; /* before it is armed: its clock, and in `when` the argument */
};

static void sleep_timer_due(struct aio_handle *handle)
{
    struct sleep *sleep = container_of(handle, struct sleep, timer.handle);
    (void)aio_future_set_result(&sleep->elapsed, NULL);
}

static struct aio_next sleep_end(struct aio_co *co)
{
    return aio_return(co, NULL);
}

static struct aio_next sleep_arm(struct sleep *sleep, uint64_t when)
{
    struct aio_sched *sched = aio_co_sched(&sleep->co);
    enum aio_clock clock = sleep->timer.clock;

    aio_future_init(&sleep->elapsed, sched, NULL);
    aio_timer_init(&sleep->timer, sleep_timer_due);
    int r = aio_call_at(sched, &sleep->timer, clock, when);
    if (r < 0)
        return aio_raise(&sleep->co, r, NULL);
    return aio_await(&sleep->co, &sleep->elapsed, STEP(sleep_end));
}

static struct aio_next sleep_begin(struct aio_co *co)
{
    struct sleep *sleep = container_of(co, struct sleep, co);
    uint64_t now = aio_sched_time(aio_co_sched(co), sleep->timer.clock);
    uint64_t ns = sleep->timer.when;

    if (ns == 0)
        return aio_yield(co, STEP(sleep_end));
    return sleep_arm(sleep, ns < UINT64_MAX - now ? now + ns : UINT64_MAX - 1);
}

static struct aio_next sleep_until_begin(struct aio_co *co)
{
    struct sleep *sleep = container_of(co, struct sleep, co);
    uint64_t when = sleep->timer.when;

    if (when <= aio_sched_time(aio_co_sched(co), sleep->timer.clock))
        return aio_yield(co, STEP(sleep_end));
    return sleep_arm(sleep, when);
}

static void sleep_done(struct aio_co *co)
{
    struct sleep *sleep = container_of(co, struct sleep, co);

    aio_timer_cancel(aio_co_sched(co), &sleep->timer);
    aio_future_done(&sleep->elapsed);
}

static const struct aio_co_fn sleep_fn = {
    "sleep",
    sizeof(struct sleep),
    STEP_INIT(sleep_begin),
    sleep_done,
};

static const struct aio_co_fn sleep_until_fn = {
    "sleep_until",
    sizeof(struct sleep),
    STEP_INIT(sleep_until_begin),
    sleep_done,
};

static struct aio_co *sleep_new(const struct aio_co_fn *fn, enum aio_clock clock, uint64_t ns)
{
    struct aio_co *co = aio_co_new(fn);
    if (!co)
        return NULL;
    struct sleep *sleep = container_of(co, struct sleep, co);
    sleep->timer.clock = clock;
    sleep->timer.when = ns;
    return co;
}

struct aio_co *aio_sleep(enum aio_clock clock, uint64_t ns)
{
    return sleep_new(&sleep_fn, clock, ns);
}

struct aio_co *aio_sleep_until(enum aio_clock clock, uint64_t when_ns)
{
    return sleep_new(&sleep_until_fn, clock, when_ns);
}
