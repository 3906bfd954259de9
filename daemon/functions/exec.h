/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * exec - the coroutine objects of exec; the function itself is declared in exec_function.c.
 */
#include "daemon/tasks/function.h"

/* struct function's ahead, new and attach; ctx is the struct processes. */
struct job *exec_ahead(void *ctx, struct task *);
struct aio_co *exec_new(void *ctx, struct task *, const struct store_task *row,
                        struct job *ahead);
struct aio_co *exec_attach(void *ctx, struct task *, const struct store_task *row);
