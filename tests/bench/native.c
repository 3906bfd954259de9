/* SPDX-License-Identifier: MIT */
/*
 * native - coroutines of daemon/aio on their real loop, with accounting, as aiod runs them.
 *
 *     native create ROUNDS BATCH    tasks that yield once and end, BATCH at a time
 *     native switch TASKS TIMES     tasks that yield so often
 *     native memory TASKS           tasks that sleep, and what the process grew by
 *
 * Prints nanoseconds for one (or bytes). native_peer.py and peer.go do the same in their own
 * terms.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "daemon/aio/loop.h"
#include "daemon/aio/sleep.h"
#include "daemon/aio/task.h"

struct bench {
    struct aio_loop loop;
    size_t left;   /* tasks of the batch that have not ended */
    size_t rounds; /* still to come */
    size_t batch;
    size_t times;
    uint64_t began;
};

static struct bench bench;

/* ---- the coroutine that is measured ---- */

struct worker {
    struct aio_co co;
    size_t times; /* to yield yet */
};

static struct aio_next worker_step(struct aio_co *co)
{
    struct worker *w = container_of(co, struct worker, co);
    if (w->times-- > 0)
        return aio_yield(co, STEP(worker_step));
    bench.left--;
    return aio_return(co, NULL);
}

static const struct aio_co_fn worker_fn = {"worker", sizeof(struct worker),
                                           STEP_INIT(worker_step), NULL};

static void worker_start(size_t times)
{
    struct aio_co *co = aio_co_new(&worker_fn);
    if (!co)
        err(1, "worker");
    container_of(co, struct worker, co)->times = times;
    struct aio_task *task = aio_task_new(&bench.loop.sched, co);
    if (!task)
        err(1, "worker");
    aio_task_unref(task); /* the scheduler keeps it to its end */
    bench.left++;
}

/* ---- who starts them: a batch, its end, the next one ---- */

static struct aio_next driver_step(struct aio_co *co)
{
    if (bench.left == 0 && bench.rounds == 0) {
        aio_loop_stop(&bench.loop);
        return aio_return(co, NULL);
    }
    if (bench.left == 0) {
        bench.rounds--;
        for (size_t i = 0; i < bench.batch; i++)
            worker_start(bench.times);
    }
    return aio_yield(co, STEP(driver_step));
}

static const struct aio_co_fn driver_fn = {"driver", sizeof(struct aio_co),
                                           STEP_INIT(driver_step), NULL};

static double bench_run(size_t rounds, size_t batch, size_t times)
{
    bench.rounds = rounds;
    bench.batch = batch;
    bench.times = times;
    bench.began = clock_awake();
    aio_task_unref(aio_task_new(&bench.loop.sched, aio_co_new(&driver_fn)));
    aio_loop_run(&bench.loop);
    return (double)(clock_awake() - bench.began);
}

/* ---- memory ---- */

static size_t memory_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%*u %lu", &pages) != 1)
        err(1, "/proc/self/statm");
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct aio_next memory_watch(struct aio_co *co)
{
    if (bench.times-- > 0) /* the others take their first step meanwhile */
        return aio_yield(co, STEP(memory_watch));
    aio_loop_stop(&bench.loop);
    return aio_return(co, NULL);
}

static const struct aio_co_fn memory_fn = {"watch", sizeof(struct aio_co),
                                           STEP_INIT(memory_watch), NULL};

static double bench_memory(size_t tasks)
{
    size_t before = memory_bytes();
    for (size_t i = 0; i < tasks; i++)
        aio_task_unref(
            aio_task_new(&bench.loop.sched, aio_sleep(AIO_BOOT, 1000 * NSEC_PER_SEC)));
    bench.times = 2;
    aio_task_unref(aio_task_new(&bench.loop.sched, aio_co_new(&memory_fn)));
    aio_loop_run(&bench.loop);
    return (double)(memory_bytes() - before) / (double)tasks;
}

int main(int argc, char **argv)
{
    size_t a = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    size_t b = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    if (!a || !b || aio_loop_init(&bench.loop) < 0)
        errx(2, "native create ROUNDS BATCH | switch TASKS TIMES | memory TASKS");
    if (strcmp(argv[1], "create") == 0) {
        bench_run(a / 10 + 1, b, 1);
        printf("%.2f\n", bench_run(a, b, 1) / (double)(a * b));
    } else if (strcmp(argv[1], "switch") == 0) {
        bench_run(1, a, b / 10);
        printf("%.2f\n", bench_run(1, a, b) / (double)(a * b));
    } else {
        printf("%.1f\n", bench_memory(a));
        _exit(fflush(stdout)); /* a million sleepers need no goodbye */
    }
    return aio_loop_close(&bench.loop) < 0;
}
