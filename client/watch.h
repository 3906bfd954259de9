/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * watch - a picture that follows the tasks: drawn again when something changed, never polled.
 *
 * On a terminal it is drawn in place, at most four times a second, its clocks move each second
 * without a question to the event loop, and a resize draws it anew. q and Ctrl-C end it.
 * Anywhere else each change prints the picture once more, and an empty line.
 */
#include "client/context.h"

struct watch_source {
    /* Packs the parameters of `events`: what can change the picture. */
    context_pack_fn *pack;
    /* Asks and reads. 0 or a negative errno with a sentence. */
    int (*read)(void *arg, struct context *, const struct view *, struct err *);
    /* Of what was read. */
    void (*render)(void *arg, struct buf *, const struct context *, const struct view *);
    void *arg; /* borrowed: of all three */
};

/* Until it is ended; returns the exit status, problems have been said. It outlives the event
 * loop. */
int watch_run(struct context *, const struct watch_source *);
