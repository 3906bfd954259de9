/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * environ - the submitter's environment, as a task gets it.
 *
 * Left out is what belongs to the submitter's terminal, session or service, not to the user:
 * a task that outlives them would be misled by it.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/options.h"

/* Whether a task gets this variable ("NAME=VALUE"). */
bool environ_keeps(const char *variable);
/* Whether it is one of the few that stay with --clean-env. */
bool environ_is_basic(const char *variable);
/* Packs an array of NAME=VALUE: env (NULL-terminated) or NULL, filtered, then `set`, which
 * replaces. pwd, if not NULL, replaces PWD. 0, -EINVAL for a `set` that is not NAME=VALUE, or
 * -ENOMEM. */
int environ_pack(struct buf *, char *const *env, bool clean, const struct option_texts *set,
                 const char *pwd, struct err *);
