/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * exec - the coroutine objects of exec; the function itself is declared in exec_function.c.
 */
#include "daemon/tasks/function.h"

/* struct function's new and attach; ctx is the struct processes. */
struct aio_co *exec_new(void *ctx, struct task *, const struct store_task *row);
struct aio_co *exec_attach(void *ctx, struct task *, const struct store_task *row);
