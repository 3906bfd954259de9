/* SPDX-License-Identifier: MIT */
/*
 * A scenario with everything that allocates in it: workers share a semaphore, sleep while they
 * hold it and return a value, one of them is cancelled, a reader awaits another. It is run with
 * its first, second, … allocation failing, until none fails any more. Each time the
 * failure is seen by somebody, whoever it does not concern goes on, and nothing leaks.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/aio/semaphore.h"
#include "daemon/aio/sleep.h"
#include "tests/support/fake_loop.h"

/* ---- the allocator that fails once ---- */

static long alloc_until_failure = -1; /* allocations that still succeed; -1: all */
static unsigned alloc_failures;
static long alloc_live;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void __real_free(void *ptr);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void __wrap_free(void *ptr);

static bool alloc_fails(void)
{
    if (alloc_until_failure < 0 || alloc_until_failure-- > 0)
        return false;
    alloc_failures++;
    return true;
}

static void *alloc_count(void *ptr)
{
    if (ptr)
        alloc_live++;
    return ptr;
}

void *__wrap_malloc(size_t size)
{
    return alloc_fails() ? NULL : alloc_count(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return alloc_fails() ? NULL : alloc_count(__real_calloc(n, size));
}

void *__wrap_realloc(void *ptr, size_t size)
{
    if (alloc_fails())
        return NULL;
    return ptr ? __real_realloc(ptr, size) : alloc_count(__real_realloc(NULL, size));
}

void __wrap_free(void *ptr)
{
    if (ptr)
        alloc_live--;
    __real_free(ptr);
}

/* ---- the scenario ---- */

struct worker {
    struct aio_co co;
    struct aio_semaphore *semaphore;
    bool holds;
};

static void worker_done(struct aio_co *co)
{
    struct worker *worker = container_of(co, struct worker, co);

    if (worker->holds)
        aio_semaphore_release(worker->semaphore);
}

static struct aio_next worker_slept(struct aio_co *co)
{
    struct value *value = text_value("slept");

    return value ? aio_return(co, value) : aio_raise(co, -ENOMEM, NULL);
}

static struct aio_next worker_acquired(struct aio_co *co)
{
    container_of(co, struct worker, co)->holds = true;
    return aio_delegate(co, aio_sleep(AIO_BOOT, 10 * NSEC_PER_MSEC), STEP(worker_slept));
}

static struct aio_next worker_begin(struct aio_co *co)
{
    struct aio_semaphore *semaphore = container_of(co, struct worker, co)->semaphore;

    return aio_delegate(co, aio_semaphore_acquire(semaphore), STEP(worker_acquired));
}

static const struct aio_co_fn worker_fn = {
    "worker",
    sizeof(struct worker),
    STEP_INIT(worker_begin),
    worker_done,
};

struct reader {
    struct aio_co co;
    struct aio_future *future; /* counted */
};

static void reader_done(struct aio_co *co)
{
    aio_future_unref(container_of(co, struct reader, co)->future);
}

static struct aio_next reader_end(struct aio_co *co)
{
    struct value *value;
    int err = aio_outcome(co, &value);

    return err < 0 ? aio_raise(co, err, NULL) : aio_return(co, value_ref(value));
}

static struct aio_next reader_begin(struct aio_co *co)
{
    return aio_await_try(co, container_of(co, struct reader, co)->future, STEP(reader_end));
}

static const struct aio_co_fn reader_fn = {
    "reader",
    sizeof(struct reader),
    STEP_INIT(reader_begin),
    reader_done,
};

enum { WORKERS = 20, TASKS = WORKERS + 1 };

static struct aio_task *worker_start(struct aio_sched *sched, struct aio_semaphore *semaphore)
{
    struct aio_co *co = aio_co_new(&worker_fn);

    if (!co)
        return NULL;
    container_of(co, struct worker, co)->semaphore = semaphore;
    return aio_task_new(sched, co);
}

static struct aio_task *reader_start(struct aio_sched *sched, struct aio_future *f)
{
    struct aio_co *co = aio_co_new(&reader_fn);

    if (!co)
        return NULL;
    container_of(co, struct reader, co)->future = aio_future_ref(f);
    return aio_task_new(sched, co);
}

/* The scenario; returns how many saw the failure. */
static unsigned scenario_run(struct fake_loop *loop)
{
    struct aio_semaphore semaphore;
    struct aio_task *tasks[TASKS];
    struct aio_future *f = aio_future_new(&loop->sched);
    unsigned seen = f ? 0 : 1;

    aio_semaphore_init(&semaphore, &loop->sched, WORKERS - 3);
    for (int i = 0; i < WORKERS; i++)
        tasks[i] = worker_start(&loop->sched, &semaphore);
    tasks[WORKERS] = reader_start(&loop->sched, f);
    fake_loop_turn(loop);
    if (tasks[WORKERS - 1])
        aio_task_cancel(tasks[WORKERS - 1], NULL);
    if (f)
        aio_future_set_error(f, -EPIPE, text_value("no more"));
    fake_loop_run(loop);
    for (int i = 0; i < TASKS; i++) {
        int err = tasks[i] ? aio_future_result(&tasks[i]->future, NULL) : -ENOMEM;
        int expected = i == WORKERS ? -EPIPE : i == WORKERS - 1 ? -ECANCELED : 0;
        assert_true(err == expected || err == -ENOMEM);
        seen += err == -ENOMEM;
        aio_task_unref(tasks[i]);
    }
    if (f) { /* details that found no memory: the error is there, without them */
        struct value *details = NULL;
        assert_int_equal(aio_future_result(f, &details), -EPIPE);
        seen += details == NULL;
    }
    aio_future_unref(f);
    assert_int_equal(semaphore.held, 0);
    assert_int_equal(semaphore.waiting, 0);
    return seen;
}

static void test_every_allocation_fails_once(void **state)
{
    static struct fake_loop loop;
    long n = 0;

    (void)state;
    for (;; n++) {
        long live = alloc_live;
        alloc_failures = 0;
        fake_loop_init(&loop);
        alloc_until_failure = n;
        unsigned seen = scenario_run(&loop);
        alloc_until_failure = -1;
        fake_loop_done(&loop);
        assert_int_equal(alloc_live, live);
        if (alloc_failures == 0) {
            assert_int_equal(seen, 0);
            break;
        }
        assert_true(seen > 0);
    }
    /* tasks, frames, acquires, sleeps, values, the heap twice, a future and its details: a
     * sweep that ends early tests nothing */
    assert_true(n > 4 * WORKERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
