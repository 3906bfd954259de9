/* SPDX-License-Identifier: MIT */
/*
 * The loop and other threads: calls that they post, and jobs in the executor. CPython cases are
 * named where they are ported (test_events).
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/real_loop.h"

struct fixture {
    struct real_loop real;
    pthread_t thread;
    uint64_t count;
};

static int setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.count = 0};
    real_loop_init(&fixture.real);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    real_loop_done(&fixture->real);
    return 0;
}

/* ---- from another thread ---- */

enum { POSTS = 1000 };

struct post {
    struct posted posted;
    struct fixture *fixture;
    uint64_t number;
    pthread_t ran_on;
    bool in_order;
    bool in_turn;
};

static void post_ran(void *arg)
{
    struct post *post = arg;
    struct fixture *fixture = post->fixture;

    post->ran_on = pthread_self();
    post->in_order = fixture->count++ == post->number;
    post->in_turn = fixture->real.loop.sched.in_turn;
    if (fixture->count == POSTS)
        aio_loop_stop(&fixture->real.loop);
}

static void *post_thread(void *arg)
{
    struct post *posts = arg;

    for (int i = 0; i < POSTS; i++)
        aio_loop_post(&posts->fixture->real.loop, &posts[i].posted);
    return NULL;
}

/* test_events: test_call_soon_threadsafe */
static void test_post_from_another_thread(void **state)
{
    struct fixture *fixture = *state;
    struct post *posts = calloc(POSTS, sizeof(*posts));
    int wrong = 0;

    assert_non_null(posts);
    for (uint64_t i = 0; i < POSTS; i++) {
        posts[i].posted = (struct posted){.fn = post_ran, .arg = &posts[i]};
        posts[i].fixture = fixture;
        posts[i].number = i;
    }
    assert_int_equal(pthread_create(&fixture->thread, NULL, post_thread, posts), 0);
    aio_loop_run(&fixture->real.loop);
    pthread_join(fixture->thread, NULL);
    for (int i = 0; i < POSTS; i++)
        wrong += !posts[i].in_order || !posts[i].in_turn ||
                 !pthread_equal(posts[i].ran_on, pthread_self());
    free(posts);
    assert_int_equal(wrong, 0);
    assert_int_equal(fixture->count, POSTS);
}

/* ---- the executor ---- */

struct job {
    struct fixture *fixture;
    uv_sem_t go;
    pthread_t ran_on;
    pthread_t after_on;
    int result;
    int afters;
    bool future_was_pending;
    struct aio_future *future; /* borrowed */
};

static int job_run(void *arg)
{
    struct job *job = arg;

    uv_sem_wait(&job->go);
    job->ran_on = pthread_self();
    return job->result;
}

static void job_after(void *arg)
{
    struct job *job = arg;

    job->after_on = pthread_self();
    job->afters++;
    job->future_was_pending = !aio_future_is_done(job->future);
}

static int job_start(struct job *job, struct fixture *fixture, int result)
{
    *job = (struct job){.fixture = fixture, .result = result};
    uv_sem_init(&job->go, 0);
    job->future = aio_run_in_executor(&fixture->real.loop, job_run, job_after, job);
    return job->future ? 0 : -ENOMEM;
}

static void job_end(struct job *job)
{
    aio_future_unref(job->future);
    uv_sem_destroy(&job->go);
}

/* test_events: test_run_in_executor */
static void test_executor(void **state)
{
    static const int results[] = {0, -EIO, -ECANCELED};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
        struct job job;
        assert_int_equal(job_start(&job, fixture, results[i]), 0);
        uv_sem_post(&job.go);
        real_loop_run_until(&fixture->real, job.future);
        assert_int_equal(aio_future_result(job.future, NULL), results[i]);
        assert_int_equal(job.afters, 1);
        assert_true(job.future_was_pending);
        assert_false(pthread_equal(job.ran_on, pthread_self()));
        assert_true(pthread_equal(job.after_on, pthread_self()));
        job_end(&job);
    }
}

/* test_events: test_run_in_executor_cancel: the thread goes on, its end is no surprise */
static void test_executor_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct job job;

    assert_int_equal(job_start(&job, fixture, 0), 0);
    assert_true(aio_future_cancel(job.future, NULL));
    real_loop_run_until(&fixture->real, job.future);
    assert_int_equal(job.afters, 0);
    uv_sem_post(&job.go);
    assert_int_equal(aio_loop_close(&fixture->real.loop), 0); /* waits for it */
    assert_int_equal(job.afters, 1);
    assert_int_equal(aio_future_result(job.future, NULL), -ECANCELED);
    job_end(&job);
    assert_int_equal(aio_loop_init(&fixture->real.loop), 0); /* for the teardown */
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_post_from_another_thread),
        CASE(test_executor),
        CASE(test_executor_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
