/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * user - what is counted for each user.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/aio/semaphore.h"
#include "daemon/store/store.h"
#include "daemon/tasks/record.h"

struct user {
    struct list node; /* in tasks->users */
    uint32_t uid;
    uint32_t live[TASK_STATES]; /* live tasks by state; [TASK_DONE] is not used */
    uint32_t running;           /* slots held, in all groups */
    uint32_t subscriptions;     /* to events */
    struct aio_semaphore
        reading;    /* one retry at a time reads rows, so that others' are served */
    bool unlimited; /* root and the owner of the instance: no limit binds them */
    struct store_counts finished; /* those that the store still has */
};
