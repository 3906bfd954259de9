/* SPDX-License-Identifier: MIT */
#include "daemon/service/reload.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/aio/future.h"

struct reload_job {
    struct reload *reload; /* borrowed; NULL: nobody waits any more */
    struct config config;
    struct err err;
    int r;
    const char *path; /* borrowed: outlives the executor */
    bool must_exist;
};

static void reload_job_free(struct reload_job *job)
{
    config_done(&job->config);
    free(job);
}

/* In the executor. */
static int reload_read(void *arg)
{
    struct reload_job *job = arg;
    job->r = config_read(&job->config, job->path, job->must_exist, &job->err);
    return 0;
}

static void reload_after(void *arg)
{
    struct reload_job *job = arg;
    struct reload *reload = job->reload;
    if (reload) {
        reload->job = NULL;
        if (!reload->again)
            reload->done(reload->ctx, job->r, &job->config, &job->err);
    }
    reload_job_free(job);
    if (reload && reload->again)
        reload_start(reload);
}

static void reload_fail(struct reload *reload)
{
    struct err err = ERR_INIT;
    err_set(&err, -ENOMEM, "out of memory");
    reload->done(reload->ctx, err.code, NULL, &err);
}

void reload_start(struct reload *reload)
{
    reload->again = reload->job != NULL;
    if (reload->job)
        return;
    struct reload_job *job = calloc(1, sizeof(*job));
    if (!job) {
        reload_fail(reload);
        return;
    }
    job->reload = reload;
    job->path = reload->path;
    job->must_exist = reload->must_exist;
    config_init(&job->config);
    struct aio_future *f = aio_run_in_executor(reload->loop, reload_read, reload_after, job);
    if (!f) {
        reload_job_free(job);
        reload_fail(reload);
        return;
    }
    aio_future_unref(f);
    reload->job = job;
}

void reload_stop(struct reload *reload)
{
    if (reload->job)
        reload->job->reload = NULL;
    reload->job = NULL;
}
