/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * sched - the pure part of the event loop: the ready queue and the timers.
 *
 * Pure: it never reads a clock for deadlines, never touches libuv or a descriptor.
 * loop.[ch] is the shell that gives it the time and sleeps until the next deadline;
 * a unit test is another such shell, with a clock of its own.
 *
 * One turn is asyncio's BaseEventLoop._run_once: timers that are due join the ready
 * queue, then exactly the callbacks that are ready now run; what they add waits for
 * the next turn, after another look at the descriptors.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "daemon/aio/ticks.h"

struct aio_sched;
struct aio_task;

/* Deadlines are nanoseconds on one of three clocks (base/clock.h). */
enum aio_clock {
    AIO_BOOT,  /* sleep, --in: time during suspend counts */
    AIO_AWAKE, /* timeouts, backoff: it does not */
    AIO_WALL,  /* --at: what a calendar says */
    AIO_CLOCKS
};

struct aio_now {
    uint64_t ns[AIO_CLOCKS];
};

/* A callback registered once: asyncio.Handle. Embedded in its owner. */
struct aio_handle;
typedef void aio_handle_fn(struct aio_handle *);
struct aio_handle {
    struct list node; /* private: in the ready queue */
    aio_handle_fn *fn;
};

/* A callback at a time: asyncio.TimerHandle. Embedded in its owner. */
struct aio_timer {
    struct heap_node node;    /* private */
    struct aio_handle handle; /* private: joins the ready queue when due */
    uint64_t when;            /* nanoseconds on its clock */
    uint64_t seq;             /* private: equal deadlines fire in the order of call_at */
    enum aio_clock clock;
};

/* Called for every step function that has run, with its name, for traces. */
typedef void aio_trace_fn(void *ctx, const struct aio_task *task, const char *text);

struct aio_sched {
    struct list ready;              /* of aio_handle.node, first in first out */
    struct heap timers[AIO_CLOCKS]; /* of aio_timer.node */
    struct aio_now now;             /* as given to the turn that runs */
    uint64_t timer_seq;
    struct aio_task *current; /* borrowed: the task whose step runs, or NULL */
    /* called when the ready queue or the earliest deadline changes outside a turn;
     * the shell makes sure that a turn comes. May be NULL. */
    void (*wake)(void *ctx);
    void *wake_ctx;
    aio_trace_fn *trace; /* NULL for none */
    void *trace_ctx;
    uint64_t (*step_clock)(void); /* nanoseconds, as AIO_AWAKE; what steps are accounted with */
    struct aio_ticks ticks;       /* read instead of step_clock once it can be; the shell's */
    uint64_t step_end;            /* when the last step ended: the start of the next one */
    uint64_t steps;               /* of all tasks, ever */
    uint64_t run_ns;              /* time spent in steps */
    uint64_t longest_ns;          /* the longest step */
    uint64_t tasks;               /* alive: created and not yet freed */
    uint64_t ready_count;         /* handles in the ready queue */
    struct list dying;            /* private: futures without references, about to be freed */
    bool freeing;                 /* private: somebody empties that list */
    bool in_turn;
};

/* step_clock may be NULL: no time is accounted then. It is read once a step, because the end
 * of one is the start of the next; a turn starts at its AIO_AWAKE time without a read. One more
 * read is made when work arrives between turns and nothing was ready. */
void aio_sched_init(struct aio_sched *, uint64_t (*step_clock)(void));
/* Forgets what is queued (it must still be in memory) and frees the heaps. Tasks, timers and
 * done callbacks belong to their owners: these cancel every task and run turns until all have
 * ended (tasks counts them) before they call this; a task that has not ended would never be
 * freed. What is left may be cancelled, removed and unreferenced afterwards too, as long as the
 * struct itself is there. */
void aio_sched_done(struct aio_sched *);

/* Runs one turn at the given time. Returns true when more is ready now (the shell must
 * not sleep), else false; aio_sched_next then tells until when it may. */
bool aio_sched_turn(struct aio_sched *, const struct aio_now *now);
/* The earliest deadline on the clock, UINT64_MAX for none. */
uint64_t aio_sched_next(const struct aio_sched *, enum aio_clock);
/* loop.time(): the turn's time, moved on by the steps that ran in it. */
uint64_t aio_sched_time(const struct aio_sched *, enum aio_clock);

/* step_clock, by the shortest way; not to be called without one. */
static inline uint64_t aio_sched_step_clock(const struct aio_sched *sched)
{
    return sched->ticks.scale ? aio_ticks_now(&sched->ticks) : sched->step_clock();
}

void aio_handle_init(struct aio_handle *, aio_handle_fn *);
/* loop.call_soon: queues the handle; it runs exactly once, in a later turn (or in the one
 * that has yet to start). Does nothing if it is queued already. */
void aio_call_soon(struct aio_sched *, struct aio_handle *);
/* Handle.cancel: takes it out of the queue; no-op when it is not there, or zeroed. */
void aio_handle_cancel(struct aio_sched *, struct aio_handle *);

void aio_timer_init(struct aio_timer *, aio_handle_fn *);
/* loop.call_at: arms the timer, again if it was armed. A deadline that has passed fires in the
 * next turn. Equal deadlines fire first in, first out. 0 or -ENOMEM (the timer is then idle).
 */
int aio_call_at(struct aio_sched *, struct aio_timer *, enum aio_clock, uint64_t when_ns);
/* TimerHandle.cancel: no-op when idle or zeroed; also takes back a timer that is due and has
 * not run. */
void aio_timer_cancel(struct aio_sched *, struct aio_timer *);
