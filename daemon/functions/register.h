/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * register - the coroutine functions that the core runs itself.
 */
#include "daemon/tasks/function.h"

struct processes;

extern const struct function exec_function;  /* its ctx is the struct processes */
extern const struct function sleep_function; /* needs none */

void register_functions(struct functions *, struct processes *);
