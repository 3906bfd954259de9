/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * script - coroutine functions that do what a test tells them: "work" needs a slot and has
 * attempts that outlive aiod, "think" does neither.
 *
 * Each call is RUNNING and awaits a command until script_return or script_raise ends it.
 */
#include "daemon/tasks/tasks.h"

enum script_policy {
    SCRIPT_HONOUR,  /* a cancel ends it, with details */
    SCRIPT_REFUSE,  /* it goes on */
    SCRIPT_SWALLOW, /* it returns "swallowed" */
};

struct script {
    enum script_policy policy;
    enum attempt_fate fate; /* of every attempt that is expected; see script_settle */
    bool no_memory;         /* new gives NULL */
    unsigned news;          /* calls so far, likewise the others */
    unsigned attaches;
    unsigned expects;
    unsigned recorded;     /* settled: with the outcome on disk */
    unsigned unrecorded;   /* without */
    unsigned cancels;      /* that reached a frame */
    uint32_t last_attempt; /* of the last new or attach */
    uint8_t last_token[STORE_TOKEN_BYTES];
    uint8_t spawner[STORE_UUID_BYTES];
    struct aio_future *known; /* counted: what FATE_WAIT awaits */
};

void script_init(struct script *, struct tasks *);
void script_done(struct script *);
/* The fate of all that is expected, from now on; wakes those who wait for it. */
void script_settle(struct script *, struct tasks *, enum attempt_fate);

/* End the body of a task that is RUNNING. */
void script_return(struct task *, struct value *taken);
void script_raise(struct task *, int err, struct value *details_taken);

extern const struct function script_work;
extern const struct function script_think;
