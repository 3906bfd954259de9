/* SPDX-License-Identifier: MIT */
#include "daemon/functions/exec_files.h"

#include <stdlib.h>

#include "base/defs.h"
#include "daemon/functions/exec_args.h"
#include "daemon/tasks/output.h"

static void exec_files_free(struct job *job)
{
    struct exec_files *files = container_of(job, struct exec_files, job);
    defs_closep(&files->out_fd);
    defs_closep(&files->err_fd);
    defs_closep(&files->spec_fd);
    if (files->ahead)
        --*files->ahead;
    free(files);
}

struct exec_files *exec_files_new(int output_fd, uint64_t id, uint32_t attempt, bool split)
{
    struct exec_files *files = calloc(1, sizeof(*files));
    if (!files)
        return NULL;
    job_init(&files->job, exec_files_free);
    files->output_fd = output_fd;
    files->id = id;
    files->attempt = attempt;
    files->split = split;
    files->out_fd = -1;
    files->err_fd = -1;
    files->spec_fd = -1;
    return files;
}

void exec_files_prepare(struct job *job, const struct store_task *row)
{
    struct exec_files *files = container_of(job, struct exec_files, job);
    struct unpacked args = UNPACKED_INIT;
    struct exec_args a;
    if (row->args && unpack(&args, row->args->bytes, row->args->len) == 0 &&
        exec_args_read(&args, &a) == 0) {
        files->split = a.split;
        if (exec_files_open(job) == 0)
            files->spec_fd = exec_args_to_memfd(&a, row->env, row->creds);
    }
    unpacked_done(&args);
}

int exec_files_open(struct job *job)
{
    struct exec_files *files = container_of(job, struct exec_files, job);
    return output_create(files->output_fd, files->id, files->attempt, files->split,
                         &files->out_fd, &files->err_fd, &files->err);
}

int exec_files_last_line(struct job *job)
{
    struct exec_files *files = container_of(job, struct exec_files, job);
    const enum output_stream streams[] = {files->split ? OUTPUT_ERR : OUTPUT_BOTH, OUTPUT_OUT};
    for (int i = 0; i < (files->split ? 2 : 1) && !files->line[0]; i++) {
        _cleanup_(defs_closep) int fd =
            output_open(files->output_fd, files->id, files->attempt, streams[i]);
        if (fd >= 0)
            output_last_line(fd, files->line, sizeof(files->line));
    }
    return 0;
}
