/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * group - tasks that share so many slots: who may run now, who is next.
 *
 * A task that holds a process passes two semaphores, both first come first served:
 *
 *   places (slots + LIMIT_AHEAD): its attempt may be recorded, though its slot is not free yet,
 *                                 so that the disk is not in the way of the next command;
 *   slots:                        its function may run.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/aio/semaphore.h"

struct task;

struct group {
    struct list node;            /* in groups->all */
    struct aio_semaphore places; /* to be recorded */
    struct aio_semaphore slots;  /* to run */
    struct list line;            /* of task.in_group: who awaits a slot, in order */
    uint32_t waiting;            /* tasks in the line */
    char *name;                  /* owned */
};

struct groups {
    struct list all;         /* of group.node, in order of creation; owned */
    struct aio_sched *sched; /* borrowed */
};

void groups_init(struct groups *, struct aio_sched *);
void groups_done(struct groups *); /* no task may be in a line any more */
struct group *groups_find(struct groups *, const char *name); /* NULL: none */
/* The group of that name, made with so many slots if it is new; else they are changed.
 * NULL without memory. */
struct group *groups_set(struct groups *, const char *name, uint32_t slots);
/* The task gets in line for a slot; leaving is a no-op for one that is in none. */
void group_join(struct task *);
void group_leave(struct task *);
/* For a task that ran before a restart and still does: takes both permits, whatever is free. */
void group_seize(struct group *, struct task *);
/* Gives back what the task holds. */
void group_release(struct task *);
/* 1 for the next in line; 0: not in line. Counts at most `limit` tasks, then 0. */
uint32_t group_position(const struct group *, const struct task *, uint32_t limit);
