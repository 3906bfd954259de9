/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * semaphore - asyncio.Semaphore: so many permits, first come first served.
 *
 * A permit is handed to the first waiter at release; if that waiter's await ends cancelled
 * all the same, the permit goes on to the next: never lost. The capacity may change while
 * in use (fewer permits than are held: none is handed out until enough came back).
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/aio/co.h"
#include "daemon/aio/waitq.h"

struct aio_semaphore {
    struct aio_waitq line; /* private: who waits, first come first served */
    uint32_t capacity;
    uint32_t held;    /* permits handed out */
    uint32_t waiting; /* coroutines in line */
};

void aio_semaphore_init(struct aio_semaphore *, struct aio_sched *, uint32_t capacity);
/* Semaphore.acquire(): a coroutine object; when it has returned, the caller holds a permit.
 * Cancelled: it holds none. NULL without memory. */
struct aio_co *aio_semaphore_acquire(struct aio_semaphore *);
/* Takes a permit if one is free and nobody waits; true when taken. */
bool aio_semaphore_try(struct aio_semaphore *);
/* Gives a permit back that is held. */
void aio_semaphore_release(struct aio_semaphore *);
void aio_semaphore_resize(struct aio_semaphore *, uint32_t capacity);
