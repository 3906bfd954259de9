/* SPDX-License-Identifier: MIT */
/*
 * A job and its frame on a real loop: whichever goes last frees what they share, once.
 */
#include "daemon/tasks/job.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/real_loop.h"

struct work {
    struct job job;
    sem_t gate; /* what a thread waits for */
    int runs;
    int result;
    unsigned *freed; /* borrowed: how many times */
};

static void work_free(struct job *job)
{
    struct work *work = container_of(job, struct work, job);
    ++*work->freed;
    sem_destroy(&work->gate);
    free(work);
}

static struct work *work_new(unsigned *freed)
{
    struct work *work = calloc(1, sizeof(*work));
    assert_non_null(work);
    job_init(&work->job, work_free);
    sem_init(&work->gate, 0, 0);
    work->freed = freed;
    return work;
}

static int work_run(struct job *job)
{
    struct work *work = container_of(job, struct work, job);
    while (sem_wait(&work->gate) < 0)
        ;
    work->runs++;
    return work->result;
}

static void test_frame_stays(void **state)
{
    struct real_loop real;
    unsigned freed = 0;
    (void)state;
    real_loop_init(&real);
    struct work *work = work_new(&freed);
    for (int i = 1; i <= 2; i++) { /* again with the same */
        struct aio_future *f = job_run(&work->job, &real.loop, work_run);
        assert_non_null(f);
        assert_true(job_running(&work->job));
        sem_post(&work->gate);
        real_loop_run_until(&real, f);
        assert_false(job_running(&work->job));
        assert_int_equal(aio_future_result(f, NULL), 0);
        assert_int_equal(work->runs, i);
        aio_future_unref(f);
    }
    work->result = -ENOENT;
    struct aio_future *f = job_run(&work->job, &real.loop, work_run);
    sem_post(&work->gate);
    real_loop_run_until(&real, f);
    assert_int_equal(aio_future_result(f, NULL), -ENOENT);
    aio_future_unref(f);
    assert_int_equal(freed, 0);
    assert_null(job_unref(&work->job));
    assert_int_equal(freed, 1);
    real_loop_done(&real);
}

static void test_frame_goes_first(void **state)
{
    struct real_loop real;
    unsigned freed = 0;
    (void)state;
    real_loop_init(&real);
    struct work *work = work_new(&freed);
    struct aio_future *f = job_run(&work->job, &real.loop, work_run);
    assert_non_null(f);
    aio_future_cancel(f, NULL); /* the frame's await was cancelled */
    job_unref(&work->job);
    assert_int_equal(freed, 0); /* the thread is at it */
    sem_post(&work->gate);
    while (freed == 0)
        uv_run(&real.loop.uv, UV_RUN_ONCE);
    assert_int_equal(freed, 1);
    aio_future_unref(f);
    real_loop_done(&real);
}

static void test_nothing(void **state)
{
    struct real_loop real;
    (void)state;
    real_loop_init(&real);
    assert_null(job_unref(NULL));
    assert_null(job_run(NULL, &real.loop, work_run));
    real_loop_done(&real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_stays),
        cmocka_unit_test(test_frame_goes_first),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
