/* SPDX-License-Identifier: MIT */
/*
 * A turn: due timers → ready queue → the batch that is ready now is moved to a list of its
 * own and run. Handles and timers are intrusive, so each can be taken out of whatever list it
 * is in, also in the middle of a turn.
 */
#include "daemon/aio/sched.h"

#include "daemon/aio/pool.h"

static bool sched_timer_less(const struct heap_node *a, const struct heap_node *b)
{
    const struct aio_timer *x = container_of(a, const struct aio_timer, node);
    const struct aio_timer *y = container_of(b, const struct aio_timer, node);

    return x->when != y->when ? x->when < y->when : x->seq < y->seq;
}

void aio_sched_init(struct aio_sched *sched, uint64_t (*step_clock)(void))
{
    *sched = (struct aio_sched){.step_clock = step_clock};
    list_init(&sched->ready);
    list_init(&sched->dying);
    for (int clock = 0; clock < AIO_CLOCKS; clock++)
        heap_init(&sched->timers[clock], sched_timer_less);
}

void aio_sched_done(struct aio_sched *sched)
{
    if (!sched->ready.next)
        return;
    while (list_pop_front(&sched->ready))
        sched->ready_count--;
    for (int clock = 0; clock < AIO_CLOCKS; clock++)
        heap_done(&sched->timers[clock]);
    sched->wake = NULL;
    aio_pool_drain();
}

/* Tells the shell that a turn is wanted; within one it looks by itself afterwards. */
static void sched_wake(struct aio_sched *sched)
{
    if (!sched->in_turn && sched->wake)
        sched->wake(sched->wake_ctx);
}

static struct aio_timer *sched_first_timer(const struct aio_sched *sched, enum aio_clock clock)
{
    struct heap_node *node = heap_peek(&sched->timers[clock]);
    return node ? container_of(node, struct aio_timer, node) : NULL;
}

static void sched_collect_due(struct aio_sched *sched, enum aio_clock clock)
{
    struct aio_timer *timer;

    while ((timer = sched_first_timer(sched, clock)) && timer->when <= sched->now.ns[clock]) {
        heap_remove(&sched->timers[clock], &timer->node);
        aio_call_soon(sched, &timer->handle);
    }
}

bool aio_sched_turn(struct aio_sched *sched, const struct aio_now *now)
{
    struct list batch, *node;

    sched->in_turn = true;
    sched->now = *now;
    if (sched->step_clock && now->ns[AIO_AWAKE] > sched->step_end)
        sched->step_end = now->ns[AIO_AWAKE];
    for (int clock = 0; clock < AIO_CLOCKS; clock++)
        sched_collect_due(sched, clock);

    list_init(&batch);
    list_splice_back(&batch, &sched->ready);
    while ((node = list_pop_front(&batch))) {
        struct aio_handle *handle = container_of(node, struct aio_handle, node);
        sched->ready_count--;
        handle->fn(handle);
    }
    sched->in_turn = false;
    return !list_empty(&sched->ready);
}

uint64_t aio_sched_next(const struct aio_sched *sched, enum aio_clock clock)
{
    const struct aio_timer *timer = sched_first_timer(sched, clock);
    return timer ? timer->when : UINT64_MAX;
}

uint64_t aio_sched_time(const struct aio_sched *sched, enum aio_clock clock)
{
    uint64_t began = sched->now.ns[AIO_AWAKE];
    uint64_t ran = sched->step_end > began ? sched->step_end - began : 0;

    return sched->now.ns[clock] + ran;
}

void aio_handle_init(struct aio_handle *handle, aio_handle_fn *fn)
{
    list_init(&handle->node);
    handle->fn = fn;
}

/* Also false for zeroed memory. */
static bool sched_handle_queued(const struct aio_handle *handle)
{
    return handle->node.next && !list_empty(&handle->node);
}

void aio_call_soon(struct aio_sched *sched, struct aio_handle *handle)
{
    if (sched_handle_queued(handle))
        return;
    list_push_back(&sched->ready, &handle->node);
    if (sched->ready_count++ == 0 && !sched->in_turn && sched->step_clock)
        sched->step_end = aio_sched_step_clock(sched);
    sched_wake(sched);
}

void aio_handle_cancel(struct aio_sched *sched, struct aio_handle *handle)
{
    if (!sched_handle_queued(handle))
        return;
    list_remove(&handle->node);
    sched->ready_count--;
}

void aio_timer_init(struct aio_timer *timer, aio_handle_fn *fn)
{
    *timer = (struct aio_timer){.node = HEAP_NODE_INIT};
    aio_handle_init(&timer->handle, fn);
}

int aio_call_at(struct aio_sched *sched, struct aio_timer *timer, enum aio_clock clock,
                uint64_t when_ns)
{
    aio_timer_cancel(sched, timer);
    timer->clock = clock;
    timer->when = when_ns;
    timer->seq = sched->timer_seq++;
    int r = heap_push(&sched->timers[clock], &timer->node);
    if (r < 0)
        return r;
    if (sched_first_timer(sched, clock) == timer)
        sched_wake(sched);
    return 0;
}

void aio_timer_cancel(struct aio_sched *sched, struct aio_timer *timer)
{
    if (heap_node_queued(&timer->node)) {
        bool first = sched_first_timer(sched, timer->clock) == timer;
        heap_remove(&sched->timers[timer->clock], &timer->node);
        if (first)
            sched_wake(sched);
    }
    aio_handle_cancel(sched, &timer->handle);
}
