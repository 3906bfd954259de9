/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * chosen - the words that name tasks, made ids that mean the same tasks later.
 *
 * `last`, `all` and a name are what they are when the daemon looks; a command that may have to
 * ask again after a restart asks for them once, before.
 */
#include "base/err.h"
#include "client/context.h"
#include "client/taskset.h"

/* The id of the one task that word means; *ret is 0 where it cannot mean just one (a range), which
 * the daemon then refuses. Asks only for what is no number. 0 or a negative errno with a
 * sentence. */
int chosen_one(struct context *, const char *word, uint64_t *ret, struct err *);
/* The tasks that the words mean, settled; without words every live task that the caller may
 * see. An id must exist, the ids of a range need not. */
int chosen_set(struct context *, char *const *words, size_t n, struct taskset *ret,
               struct err *);
/* The newest task that the caller may see; 0: there is none. */
int chosen_newest(struct context *, uint64_t *ret, struct err *);
