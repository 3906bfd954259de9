/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * fake_loop - a shell for the scheduler whose clocks move only when a test says so.
 *
 * The trace is what happened, line by line: "MS WHAT", MS being the virtual milliseconds since
 * fake_loop_init. One fake loop at a time on a thread, because the step clock has no context.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "daemon/aio/future.h"
#include "daemon/aio/sched.h"
#include "daemon/aio/task.h"

enum { FAKE_LOOP_KEPT_MAX = 64 };

struct fake_loop {
    struct aio_sched sched;
    struct aio_now now;
    uint64_t read_ns;     /* what passes at each read of the step clock; 0 */
    uint64_t clock_reads; /* of the step clock */
    uint64_t turns;
    unsigned wakes;  /* calls of sched.wake */
    unsigned frames; /* of actors, alive */
    unsigned kept_count;
    struct aio_task *kept[FAKE_LOOP_KEPT_MAX]; /* counted */
    struct buf trace;
};

void fake_loop_init(struct fake_loop *);
/* Lets go of the tasks it keeps; checks that no task, no frame and nothing ready is left. */
void fake_loop_done(struct fake_loop *);
/* Takes the reference and keeps the task until fake_loop_done; returns it. Not NULL. */
struct aio_task *fake_loop_keep(struct fake_loop *, struct aio_task *taken);

/* All three clocks move on; nothing runs. */
void fake_loop_pass(struct fake_loop *, uint64_t ns);
/* One turn at the time that it is; true when more is ready. */
bool fake_loop_turn(struct fake_loop *);
/* n turns, each with or without work. */
void fake_loop_turns(struct fake_loop *, unsigned n);
/* Turns until nothing is ready and no timer is armed; the time jumps to each deadline. */
void fake_loop_run(struct fake_loop *);
/* The same until f is done; false when everything sleeps for ever before that. */
bool fake_loop_run_until(struct fake_loop *, const struct aio_future *f);
/* Virtual time since fake_loop_init. */
uint64_t fake_loop_ms(const struct fake_loop *);

void fake_loop_note(struct fake_loop *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The trace since the last call; valid until the next note. */
const char *fake_loop_trace(struct fake_loop *);
#define assert_trace(loop, expected) assert_string_equal(fake_loop_trace(loop), expected)

/* "pending", "ok", "ok VALUE", "cancelled", "cancelled REASON", "EPIPE", "EPIPE DETAILS";
 * outcome_text is the same from an errno and a value. Valid until the fourth next call. */
const char *outcome_text(int err, const struct value *);
const char *future_text(struct aio_future *);
#define assert_future(f, expected) assert_string_equal(future_text(f), expected)
#define assert_task(t, expected)   assert_future(&(t)->future, expected)

/* A value with the bytes of the text. */
struct value *text_value(const char *text);
