/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * outcome - how a task ended: in a sentence, and as an exit status.
 */
#include <msgpack.h>
#include <stdbool.h>

#include "base/buf.h"

bool outcome_is(const msgpack_object *task,
                const char *outcome); /* "ok", "failed", "cancelled" */
/* Why it failed, or "cancelled"; nothing for an ok one. Escaped. */
void outcome_sentence(struct buf *, const msgpack_object *task);
/* 0 or 1. */
int outcome_exit(const msgpack_object *task);
/* The task's own status: its command's exit status or 128 + its signal; 1 for other failures. A
 * command that was cancelled without a recorded signal counts as ended by SIGTERM. */
int outcome_own_exit(const msgpack_object *task);
