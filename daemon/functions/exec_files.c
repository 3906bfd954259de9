/* SPDX-License-Identifier: MIT */
#include "daemon/functions/exec_files.h"

#include <stdlib.h>

#include "base/defs.h"
#include "daemon/tasks/output.h"

struct exec_files *exec_files_new(int output_fd, uint64_t id, uint32_t attempt, bool split)
{
    struct exec_files *files = calloc(1, sizeof(*files));
    if (!files)
        return NULL;
    files->output_fd = output_fd;
    files->id = id;
    files->attempt = attempt;
    files->split = split;
    files->out_fd = -1;
    files->err_fd = -1;
    return files;
}

static void exec_files_free(struct exec_files *files)
{
    defs_closep(&files->out_fd);
    defs_closep(&files->err_fd);
    free(files);
}

static void exec_files_after(void *arg)
{
    struct exec_files *files = arg;
    files->running = false;
    if (files->abandoned)
        exec_files_free(files);
}

struct aio_future *exec_files_run(struct exec_files *files, struct aio_loop *loop,
                                  exec_files_fn *fn)
{
    struct aio_future *job = aio_run_in_executor(loop, fn, exec_files_after, files);
    files->running = job != NULL;
    return job;
}

struct exec_files *exec_files_drop(struct exec_files *files)
{
    if (files && files->running)
        files->abandoned = true;
    else if (files)
        exec_files_free(files);
    return NULL;
}

int exec_files_open(void *arg)
{
    struct exec_files *files = arg;
    return output_create(files->output_fd, files->id, files->attempt, files->split,
                         &files->out_fd, &files->err_fd, &files->err);
}

int exec_files_last_line(void *arg)
{
    struct exec_files *files = arg;
    const enum output_stream streams[] = {files->split ? OUTPUT_ERR : OUTPUT_BOTH, OUTPUT_OUT};
    for (int i = 0; i < (files->split ? 2 : 1) && !files->line[0]; i++) {
        _cleanup_(defs_closep) int fd =
            output_open(files->output_fd, files->id, files->attempt, streams[i]);
        if (fd >= 0)
            output_last_line(fd, files->line, sizeof(files->line));
    }
    return 0;
}
