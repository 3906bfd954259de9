/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * slot - where a child says, from beyond fork, why it could not be started.
 *
 * Eight bytes in memory shared with the child. Between fork and exec the child writes {step,
 * errno} and ends; the spawner looks after its exit. A command that was executed no longer has
 * the memory: its slot stays empty.
 */
#include <stdint.h>

#include "base/list.h"

struct slot {
    volatile int32_t step; /* enum spawn_step; 0: none failed */
    volatile int32_t err;  /* positive errno */
};

struct slots {
    struct list chunks; /* owned, struct slot_chunk: a shared page each */
};

void slots_init(struct slots *s);
void slots_done(struct slots *s);        /* every slot is invalid afterwards */
struct slot *slot_take(struct slots *s); /* zeroed; NULL without memory */
void slot_give(struct slots *s, struct slot *slot);
