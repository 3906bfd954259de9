/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * line - who gets a slot of a group next.
 *
 * A task that holds a process needs two permits:
 *
 *   a place: its attempt may be recorded, though its slot is not free yet, so that the disk is
 *            not in the way of the next command;
 *   a slot:  its function may run.
 *
 * The tasks of one user are served first come first served. Between users slots go round: each
 * user's lane in turn gives one, so that a long queue of one is not in the way of another. For
 * that to hold, a user who waits always has a place for one task; beyond, there are slots +
 * LIMIT_AHEAD of them, and they go to who has the fewest ahead. Those are not given one by one, as
 * slots come back, but once half of LIMIT_AHEAD are used up: so one commit records some attempts.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/aio/co.h"
#include "daemon/aio/waitq.h"

struct group;
struct task;
struct user;

/* The tasks of one user that await a slot of a group. */
struct lane {
    struct list node;  /* in group->lanes: the first one gives the next slot */
    struct user *user; /* borrowed */
    struct list tasks; /* of task.in_line: in order */
    uint32_t waiting;  /* of them */
    uint32_t ahead;    /* of them: have been given a place, and no slot */
    struct aio_waitq for_place;
    struct aio_waitq for_slot;
};

/* Coroutine objects that return once the task has the permit; cancelled, it has it not. The
 * first one puts it in line, until line_leave. NULL without memory. */
struct aio_co *line_await_place(struct task *);
struct aio_co *line_await_slot(struct task *);
void line_leave(struct task *); /* a no-op for one that is in none */
/* For a task that ran before a restart and still does: takes both permits, whatever is free. */
void line_seize(struct task *);
/* Gives back what the task holds. */
void line_release(struct task *);
/* Hands out what is free: slots or limits have changed. */
void line_hand_out(struct group *);
/* 1 for the task that is given the next slot, if nobody else comes; 0: not in line, further
 * behind than `limit`, or its user runs as many as they may. */
uint32_t line_position(const struct group *, const struct task *, uint32_t limit);
