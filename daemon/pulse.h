/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * pulse - does the store still answer? Asked each time that the watchdog wants to hear something.
 *
 * A read is sent through the store's queue and thread and back; the next one when it has
 * returned. While it is on its way, commits count as life too: a long queue on a slow disk is no
 * reason to be killed, a thread that hangs in a sync is.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "daemon/store/store.h"

struct pulse {
    struct store *store;  /* borrowed; NULL: there is none any more, and all is well */
    struct logger *log;   /* borrowed */
    uint64_t patience_ns; /* without an answer and without a commit */
    /* private */
    struct store_op op; /* in the store's hands while `asked` */
    bool asked;
    bool told;
    uint64_t since_ns; /* awake clock: the question, or the last commit seen since */
    uint64_t commits;
};

/* True: it answers, or has not been silent for too long yet. Asks again when the last question is
 * answered. Never blocks. */
bool pulse_beats(struct pulse *);
