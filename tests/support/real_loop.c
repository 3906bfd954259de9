/* SPDX-License-Identifier: MIT */
#include "tests/support/real_loop.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/aio/task.h"

int real_loop_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = -3; /* ".", ".." and the directory itself */

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

void real_loop_init(struct real_loop *real)
{
    uv_loop_t uv;

    /* With its first loop libuv opens a pipe for signals, which stays. */
    assert_int_equal(uv_loop_init(&uv), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
    *real = (struct real_loop){.fds = real_loop_count_fds()};
    assert_int_equal(aio_loop_init(&real->loop), 0);
}

void real_loop_done(struct real_loop *real)
{
    assert_int_equal(real->loop.sched.tasks, 0);
    assert_int_equal(aio_loop_close(&real->loop), 0);
    assert_int_equal(real_loop_count_fds(), real->fds);
}

static void real_loop_stop(struct aio_done *done, struct aio_future *f)
{
    (void)f;
    aio_loop_stop(&container_of(done, struct real_loop, done)->loop);
}

void real_loop_run_until(struct real_loop *real, struct aio_future *f)
{
    aio_future_add_done(f, &real->done, real_loop_stop);
    aio_loop_run(&real->loop);
}

int real_loop_run(struct real_loop *real, struct aio_co *taken)
{
    struct aio_task *task = aio_task_new(&real->loop.sched, taken);

    assert_non_null(task);
    real_loop_run_until(real, &task->future);
    int err = aio_future_result(&task->future, NULL);
    aio_task_unref(task);
    return err;
}
