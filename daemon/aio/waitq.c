/* SPDX-License-Identifier: MIT */
/*
 * Only waiters that can still be given something are in the list: a cancelled one leaves it at
 * once, so giving never has to search.
 */
#include "daemon/aio/waitq.h"

static bool waiter_cancel(struct aio_future *turn, struct value *reason)
{
    struct aio_waiter *waiter = container_of(turn, struct aio_waiter, turn);

    list_remove(&waiter->node);
    aio_future_complete(turn, AIO_CANCELLED, 0, value_ref(reason));
    return true;
}

static const struct aio_future_ops waiter_ops = {.cancel = waiter_cancel};

void aio_waitq_init(struct aio_waitq *queue, struct aio_sched *sched)
{
    *queue = (struct aio_waitq){.sched = sched};
    list_init(&queue->line);
}

bool aio_waitq_idle(const struct aio_waitq *queue)
{
    return queue->given == 0 && list_empty(&queue->line);
}

bool aio_waitq_give(struct aio_waitq *queue)
{
    struct list *node = list_pop_front(&queue->line);
    if (!node)
        return false;
    struct aio_waiter *waiter = container_of(node, struct aio_waiter, node);
    waiter->given = true;
    queue->given++;
    (void)aio_future_set_result(&waiter->turn, NULL);
    return true;
}

void aio_waiter_join(struct aio_waiter *waiter, struct aio_waitq *queue)
{
    *waiter = (struct aio_waiter){.queue = queue};
    aio_future_init(&waiter->turn, queue->sched, &waiter_ops);
    list_push_back(&queue->line, &waiter->node);
}

bool aio_waiter_leave(struct aio_waiter *waiter)
{
    struct aio_waitq *queue = TAKE_PTR(waiter->queue);
    bool given = waiter->given;

    if (!queue)
        return false;
    list_remove(&waiter->node);
    if (given)
        queue->given--;
    waiter->given = false;
    aio_future_done(&waiter->turn);
    return given;
}
