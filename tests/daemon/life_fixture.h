/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * life_fixture - tasks on a real loop with a real store in a directory of its own, and the
 * scripted functions. One slot; may be closed and opened again, as a daemon is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "daemon/tasks/tasks.h"
#include "tests/daemon/notation.h"
#include "tests/daemon/scratch.h"
#include "tests/daemon/script.h"
#include "tests/support/real_loop.h"

enum { OWNER = 500, SOMEBODY = 1000 }; /* uids */

struct fixture {
    struct scratch scratch;
    struct real_loop real;
    struct store *store;
    struct tasks tasks;
    struct script script;
    int broken;          /* what tasks->broken was called with; 0 */
    uv_timer_t patience; /* private, as the next */
    bool timed_out;
};

int fixture_setup(void **state);    /* opened; the spawner has not answered yet */
int fixture_teardown(void **state); /* closes it if it is open */
void fixture_open(struct fixture *);
/* Stops everything, as a daemon does. Checks that no slot and no place is held then. */
void fixture_close(struct fixture *);
/* Both, and the spawner answers. */
void fixture_restart(struct fixture *);

void one_turn(struct fixture *);
/* Runs the loop, turn by turn, until the predicate holds. Fails the test after 20 s. */
void life_until(struct fixture *, bool (*)(struct fixture *, uint64_t id), uint64_t id);
/* Predicates. */
bool is_accepted(struct fixture *, uint64_t id);
bool is_placed(struct fixture *, uint64_t id);   /* its attempt is being recorded */
bool is_recorded(struct fixture *, uint64_t id); /* its attempt is on disk */
bool is_running(struct fixture *, uint64_t id);
bool is_ending(struct fixture *, uint64_t id); /* its outcome is being recorded */
bool is_gone(struct fixture *, uint64_t id);
bool is_waiting_for_fate(struct fixture *, uint64_t id); /* or for the gate */

/* Submit as SOMEBODY; the id is there at once. */
uint64_t submit(struct fixture *, const struct function *);
uint64_t submit_at(struct fixture *, const struct function *, uint64_t in_ns);
struct task *find(struct fixture *, uint64_t id); /* not NULL */
/* tasks_cancel by SOMEBODY, until it is recorded; false: too late. */
bool cancel(struct fixture *, uint64_t id, bool kill);
/* The body of a running task returns 7; until it is gone. */
void finish(struct fixture *, uint64_t id);

/* How a finished task stands in the store. */
void assert_outcome(struct fixture *, uint64_t id, enum store_outcome, uint32_t attempt,
                    const char *result);
void assert_held(const struct fixture *, uint32_t slots, uint32_t places);
/* Live tasks of SOMEBODY, and how many ended in which way. */
void assert_counts(struct fixture *, uint32_t live, uint64_t ok, uint64_t failed,
                   uint64_t cancelled);

/* Where in its life a task can be. */
enum phase {
    PHASE_NEW,     /* no step yet */
    PHASE_COMMIT,  /* its submit is being committed */
    PHASE_TIMER,   /* awaits its time */
    PHASE_GATE,    /* awaits that the spawner answers */
    PHASE_PLACE,   /* in line, nothing recorded: nine are before it */
    PHASE_ATTEMPT, /* its attempt is being recorded */
    PHASE_SLOT,    /* in line, recorded ahead: one is before it */
    PHASE_RUNNING,
    PHASE_ENDING, /* its outcome is being recorded */
    PHASES
};
/* Brings a task there; returns its id, the highest of all. */
uint64_t reach(struct fixture *, enum phase);
