/* SPDX-License-Identifier: MIT */
/*
 * acquire: a free permit and nobody in line: returns at once, without a turn of the loop. Else
 * joins the line and suspends until it is given a permit. Cancelled: leaves the line; a
 * permit that it had been given meanwhile goes to the next.
 */
#include "daemon/aio/semaphore.h"

struct acquire {
    struct aio_co co;
    struct aio_semaphore *semaphore; /* borrowed */
    struct aio_waiter waiter;
};

void aio_semaphore_init(struct aio_semaphore *semaphore, struct aio_sched *sched,
                        uint32_t capacity)
{
    *semaphore = (struct aio_semaphore){.capacity = capacity};
    aio_waitq_init(&semaphore->line, sched);
}

/* Hands out what is free to those in line. */
static void semaphore_hand_out(struct aio_semaphore *semaphore)
{
    while (semaphore->held < semaphore->capacity && aio_waitq_give(&semaphore->line))
        semaphore->held++;
}

bool aio_semaphore_try(struct aio_semaphore *semaphore)
{
    /* Those who were given a permit start first, even if there are more. */
    if (semaphore->held >= semaphore->capacity || !aio_waitq_idle(&semaphore->line))
        return false;
    semaphore->held++;
    return true;
}

void aio_semaphore_release(struct aio_semaphore *semaphore)
{
    if (semaphore->held > 0)
        semaphore->held--;
    semaphore_hand_out(semaphore);
}

void aio_semaphore_resize(struct aio_semaphore *semaphore, uint32_t capacity)
{
    semaphore->capacity = capacity;
    semaphore_hand_out(semaphore);
}

static struct aio_next acquire_end(struct aio_co *co)
{
    struct acquire *acquire = container_of(co, struct acquire, co);
    struct aio_semaphore *semaphore = acquire->semaphore;
    struct value *details;
    int err = aio_outcome(co, &details);

    semaphore->waiting--;
    if (aio_waiter_leave(&acquire->waiter) && err < 0)
        semaphore->held--;
    /* Also for those who came while a permit was free and this one had yet to start. */
    semaphore_hand_out(semaphore);
    return err < 0 ? aio_raise(co, err, value_ref(details)) : aio_return(co, NULL);
}

static struct aio_next acquire_begin(struct aio_co *co)
{
    struct acquire *acquire = container_of(co, struct acquire, co);

    if (aio_semaphore_try(acquire->semaphore))
        return aio_return(co, NULL);
    acquire->semaphore->waiting++;
    aio_waiter_join(&acquire->waiter, &acquire->semaphore->line);
    return aio_await_try(co, &acquire->waiter.turn, STEP(acquire_end));
}

static const struct aio_co_fn acquire_fn = {
    "acquire",
    sizeof(struct acquire),
    STEP_INIT(acquire_begin),
    NULL,
};

struct aio_co *aio_semaphore_acquire(struct aio_semaphore *semaphore)
{
    struct aio_co *co = aio_co_new(&acquire_fn);
    if (!co)
        return NULL;
    container_of(co, struct acquire, co)->semaphore = semaphore;
    return co;
}
