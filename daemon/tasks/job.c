/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/job.h"

#include <stddef.h>
#include <stdlib.h>

/* One run. */
struct job_work {
    struct job *job; /* counted */
    job_fn *fn;
};

void job_init(struct job *j, void (*free_)(struct job *))
{
    *j = (struct job){.refs = 1, .free = free_};
}

struct job *job_ref(struct job *j)
{
    if (j)
        j->refs++;
    return j;
}

struct job *job_unref(struct job *j)
{
    if (j && --j->refs == 0)
        j->free(j);
    return NULL;
}

static int job_work(void *arg)
{
    const struct job_work *work = arg;
    return work->fn(work->job);
}

static void job_worked(void *arg)
{
    struct job_work *work = arg;
    job_unref(work->job);
    free(work);
}

struct aio_future *job_run(struct job *j, struct aio_loop *loop, job_fn *fn)
{
    struct job_work *work = j ? malloc(sizeof(*work)) : NULL;
    if (!work)
        return NULL;
    *work = (struct job_work){.job = j, .fn = fn};
    struct aio_future *f = aio_run_in_executor(loop, job_work, job_worked, work);
    if (f)
        j->refs++;
    else
        free(work);
    return f;
}
