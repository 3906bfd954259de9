/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * line_fixture - a group with two slots on a loop with a fake clock, tasks of four users that do
 * with its permits what life.c does, and a trace of who got what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tasks/group.h"
#include "daemon/tasks/line.h"
#include "daemon/tasks/record.h"
#include "daemon/tasks/user.h"
#include "daemon/tasks/watch.h"
#include "tests/support/actor.h"

enum { LINE_TASKS = 64, LINE_USERS = 4 };

struct fixture {
    struct fake_loop loop;
    struct groups groups;
    struct watchers watchers;
    struct user users[LINE_USERS];
    struct group *group; /* "convert", two slots by the file */
    struct task *tasks[LINE_TASKS];
    struct aio_task *waits[LINE_TASKS]; /* counted: who got in line last as that task */
    char names[LINE_TASKS][8];
    unsigned order[LINE_TASKS]; /* of those that got a slot */
    unsigned started;
};

int line_setup(void **state);
int line_teardown(void **state);

/* Task i, of that user from here on, gets in line; it is traced as "tI". */
void queue_as(struct fixture *, unsigned i, unsigned user);
void queue(struct fixture *, unsigned i); /* of the first user */
bool waits(const struct fixture *, unsigned i);
void cancel(struct fixture *, unsigned i); /* what waits */
/* It ends: gives back what it holds. Then the loop runs. */
void end(struct fixture *, unsigned i);
void run(struct fixture *);

void assert_held(const struct fixture *, uint32_t slots, uint32_t places);
uint32_t position(const struct fixture *, unsigned i);
/* What holds at any time when nothing is ready to run. */
void assert_sound(const struct fixture *);
