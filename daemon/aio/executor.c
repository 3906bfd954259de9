/* SPDX-License-Identifier: MIT */
/*
 * loop.run_in_executor: the job runs on a thread of libuv's pool; its end queues a handle,
 * which in the next turn gives `after` its arg and then completes the future. A cancelled
 * future stays cancelled; the thread is never interrupted.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/aio/future.h"
#include "daemon/aio/loop.h"

struct executor_job {
    uv_work_t work;
    struct aio_handle ended;
    struct aio_loop *loop;     /* borrowed; it does not close before its jobs have ended */
    struct aio_future *future; /* counted */
    int (*fn)(void *arg);
    void (*after)(void *arg); /* may be NULL */
    void *arg;                /* fn's, then after's */
    int result;
};

static void executor_work(uv_work_t *work)
{
    struct executor_job *job = container_of(work, struct executor_job, work);
    job->result = job->fn(job->arg);
}

static void executor_worked(uv_work_t *work, int status)
{
    struct executor_job *job = container_of(work, struct executor_job, work);

    (void)status; /* nobody calls uv_cancel */
    aio_call_soon(&job->loop->sched, &job->ended);
}

static void executor_end(struct aio_handle *handle)
{
    struct executor_job *job = container_of(handle, struct executor_job, ended);
    struct aio_future *f = job->future;

    if (job->after)
        job->after(job->arg);
    if (job->result == -ECANCELED)
        (void)aio_future_cancel(f, NULL);
    else if (job->result != 0)
        (void)aio_future_set_error(f, job->result, NULL);
    else
        (void)aio_future_set_result(f, NULL);
    job->loop->jobs--;
    aio_future_unref(f);
    free(job);
}

struct aio_future *aio_run_in_executor(struct aio_loop *loop, int (*fn)(void *arg),
                                       void (*after)(void *arg), void *arg)
{
    struct executor_job *job = malloc(sizeof(*job));
    struct aio_future *f = aio_future_new(&loop->sched);

    if (!job || !f) {
        free(job);
        return aio_future_unref(f);
    }
    *job = (struct executor_job){
        .loop = loop,
        .future = aio_future_ref(f),
        .fn = fn,
        .after = after,
        .arg = arg,
    };
    aio_handle_init(&job->ended, executor_end);
    loop->jobs++;
    uv_queue_work(&loop->uv, &job->work, executor_work, executor_worked);
    return f;
}
