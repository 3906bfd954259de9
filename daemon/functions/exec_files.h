/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * exec_files - a job of the executor on the output files of one attempt.
 *
 * Files are opened and read on a thread, because a disk may be slow. The frame that asked may
 * be gone before the thread is: then the job frees itself.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/aio/future.h"
#include "daemon/aio/loop.h"

enum { EXEC_LINE_MAX = 160 }; /* bytes of the last output line in an error */

struct exec_files {
    int output_fd; /* borrowed: outlives the executor */
    uint64_t id;
    uint32_t attempt;
    bool split;
    int out_fd; /* results of exec_files_open, owned; -1: none, or taken */
    int err_fd;
    struct err err;
    char line[EXEC_LINE_MAX]; /* result of exec_files_last_line; "" for none */
    /* private */
    bool running;   /* a thread may use it */
    bool abandoned; /* exec_files_drop was called meanwhile */
};
typedef int exec_files_fn(void *files);

struct exec_files *exec_files_new(int output_fd, uint64_t id, uint32_t attempt, bool split);
/* Runs fn on a thread, once; the future's reference is the caller's. NULL without memory. */
struct aio_future *exec_files_run(struct exec_files *, struct aio_loop *, exec_files_fn *fn);
/* Frees it, now or when the thread has ended. NULL is a no-op; returns NULL. */
struct exec_files *exec_files_drop(struct exec_files *);

exec_files_fn exec_files_open;      /* creates the files */
exec_files_fn exec_files_last_line; /* what the command said last */
