/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * grace - what was asked to end and has not, when its time is over.
 *
 * Asked is a process group, by SIGTERM. When the grace is over, what is left of it gets SIGKILL:
 * the command, and also what it started, where the command itself has long ended and been
 * released. Until then such a command is held: its process stays unreaped, so that the group's
 * number is nobody else's. As most leave nobody behind, one is given up as soon as it is seen
 * that it holds nothing (groups.h): GRACE_LOOK_MS after it came, then less and less often, and
 * never more than a twentieth of the time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"

struct child;

enum {
    GRACE_HELD_MAX = 1024, /* beyond it what is left of a group has no more grace */
    GRACE_LOOK_MS = 20,
    GRACE_LOOK_MAX_MS = 5000,
    GRACE_LOOK_SHARE =
        20, /* that many times as long as a look has taken passes until the next */
};

struct grace {
    struct heap waiting; /* of struct child.grace, by when */
    struct list held;    /* of struct child.holding: ended and released */
    struct list over;    /* of the same: not needed any more */
    unsigned nheld;
    uint64_t look_at;   /* clock_awake; UINT64_MAX: there is nothing to look at */
    uint64_t look_took; /* nanoseconds */
    uint64_t look_ms;   /* between this look and the next */
};

void grace_init(struct grace *g);
void grace_done(struct grace *g);

/* The child's group gets SIGKILL at this time (clock_awake), or earlier if that was said before.
 * Without memory it gets it now. */
void grace_start(struct grace *g, struct child *child, uint64_t when);
/* A child that has ended and is released: true if it is held; the caller forgets it if not. */
bool grace_hold(struct grace *g, struct child *child, uint64_t now);
/* Its group got SIGKILL, or it is forgotten: there is nothing to wait for. True if it was held. */
bool grace_stop(struct grace *g, struct child *child);
uint64_t grace_next(const struct grace *g); /* clock_awake; UINT64_MAX: nothing is awaited */
/* Kills what is due (all, with UINT64_MAX) and looks if it is time. Returns the next child that
 * needs to be held no more, to be forgotten by the caller, who then calls again; or NULL. */
struct child *grace_pass(struct grace *g, uint64_t now);
