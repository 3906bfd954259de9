/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * lock - one process a state directory: flock(2) on DIR/lock, which names its holder.
 */
#include "base/err.h"

/* The descriptor that holds the lock (close it to give it back) or a negative errno; -EBUSY
 * names the process that has it. dir is for the sentence. */
int store_lock_take(int dir_fd, const char *dir, struct err *);
