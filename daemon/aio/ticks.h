/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * ticks - the time of a step from the processor's own counter.
 *
 * clock_gettime(2) reads the same counter, but with a fence, a sequence lock and a scale around
 * it that cost more than a whole switch of tasks. Used only where the kernel itself keeps its time
 * by that counter when the loop begins (its clocksource is "tsc"), and for what happens within a
 * turn: how long steps take, and how far into it a sleep begins. At every turn it is based anew on
 * CLOCK_MONOTONIC, so that no error lasts longer than one; where the two have gone apart (the
 * machine was suspended or moved to another one, the counter was found to be unstable) it is
 * measured from the start.
 */
#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

struct aio_ticks {
    uint64_t scale;       /* nanoseconds a tick, times 2^32; 0: not to be used (yet) */
    uint64_t base;        /* private: the counter at base_ns */
    uint64_t base_ns;     /* private: CLOCK_MONOTONIC */
    uint64_t first;       /* private: likewise, since when it is being measured */
    uint64_t first_ns;    /* private */
    uint64_t measured_ns; /* private: how long that has taken when scale was set */
    bool trusted;         /* private */
};

/* Looks what the kernel keeps its time by. Not to be used before it has been measured for a few
 * milliseconds. */
void aio_ticks_init(struct aio_ticks *);
/* At a turn: the counter and CLOCK_MONOTONIC, read one right after the other. */
void aio_ticks_mark(struct aio_ticks *, uint64_t ticks, uint64_t now_ns);

static inline uint64_t aio_ticks_read(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#else
    return 0;
#endif
}

/* CLOCK_MONOTONIC in nanoseconds, near enough, at this reading of the counter, never before the
 * last mark; requires scale. */
static inline uint64_t aio_ticks_at(const struct aio_ticks *t, uint64_t ticks)
{
    uint64_t passed = ticks > t->base ? ticks - t->base : 0; /* another core's may be behind */
    return t->base_ns + (uint64_t)((unsigned __int128)passed * t->scale >> 32);
}

static inline uint64_t aio_ticks_now(const struct aio_ticks *t)
{
    return aio_ticks_at(t, aio_ticks_read());
}
