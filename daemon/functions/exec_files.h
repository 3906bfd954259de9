/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * exec_files - a job on the output files of one attempt: opens them, reads them.
 *
 * On another thread, because a disk may be slow: the store's, right behind the commit of the
 * attempt, while the task waits for its slot; or, where that was not possible, the executor's.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/tasks/job.h"

struct store_task;

enum { EXEC_LINE_MAX = 160 }; /* bytes of the last output line in an error */

struct exec_files {
    struct job job;
    int output_fd; /* borrowed: outlives the executor */
    uint64_t id;
    uint32_t attempt;
    bool split;
    int out_fd; /* results of exec_files_open, owned; -1: none, or taken */
    int err_fd;
    int spec_fd;     /* result of exec_files_prepare, owned; -1: none, or taken */
    uint32_t *ahead; /* borrowed: where it is counted; NULL: nowhere */
    struct err err;
    char line[EXEC_LINE_MAX]; /* result of exec_files_last_line; "" for none */
};

/* One reference, the caller's: job_unref(&files->job). NULL without memory. */
struct exec_files *exec_files_new(int output_fd, uint64_t id, uint32_t attempt, bool split);

/* Creates the files and writes the spec (struct function's prepare). What fails is left for the
 * others to meet again and to tell. */
void exec_files_prepare(struct job *, const struct store_task *row);
static inline bool exec_files_prepared(const struct exec_files *files)
{
    return files && files->spec_fd >= 0;
}

job_fn exec_files_open;      /* creates the files */
job_fn exec_files_last_line; /* what the command said last */
