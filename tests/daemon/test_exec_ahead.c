/* SPDX-License-Identifier: MIT */
/*
 * What the store's thread makes ready for a command that waits for its slot: its files and its
 * spec, or nothing at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/functions/exec.h"
#include "daemon/functions/exec_files.h"
#include "daemon/functions/processes.h"
#include "daemon/functions/register.h"
#include "daemon/spawner/spec_read.h"
#include "daemon/tasks/tasks.h"
#include "tests/daemon/notation.h"
#include "tests/daemon/scratch.h"

struct fixture {
    struct scratch scratch;
    struct processes processes;
    struct tasks tasks;
    struct task task;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_init(&f->scratch);
    f->tasks.output_fd = f->scratch.fd;
    f->task.id = 7;
    f->task.tasks = &f->tasks;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    scratch_done(&f->scratch);
    free(f);
    return 0;
}

/* A row as the store reads it. */
static void row_init(struct store_task *row, const char *args)
{
    struct function_call call = {0};
    struct notation n;
    struct err err = ERR_INIT;
    assert_int_equal(function_bind(&exec_function, notation_read(&n, args), &call, &err), 0);
    notation_done(&n);
    *row = (struct store_task){.id = 7, .args = call.args, .env = call.env};
}

static struct exec_files *prepare(struct fixture *f, const char *args)
{
    struct store_task row;
    struct job *job = exec_ahead(&f->processes, &f->task);
    assert_non_null(job);
    row_init(&row, args);
    exec_files_prepare(job, &row);
    store_task_done(&row);
    return container_of(job, struct exec_files, job);
}

static bool has(const struct fixture *f, const char *name)
{
    return faccessat(f->scratch.fd, name, F_OK, 0) == 0;
}

static void assert_argv0(int fd, const char *expected)
{
    struct spec_view view;
    assert_int_equal(spec_view_open(&view, fd), 0);
    assert_string_equal(view.argv[0], expected);
    spec_view_done(&view);
}

static void test_one_file(void **state)
{
    struct fixture *f = *state;
    struct exec_files *files = prepare(f, "{'argv': ['make', 'all'], 'env': ['A=1']}");
    assert_true(exec_files_prepared(files));
    assert_true(files->out_fd >= 0 && files->err_fd < 0);
    assert_argv0(files->spec_fd, "make");
    assert_true(has(f, "000/7.1.log")); /* the attempt that is being recorded */
    assert_int_equal(f->processes.ahead, 1);
    job_unref(&files->job);
    assert_int_equal(f->processes.ahead, 0);
}

static void test_two_files(void **state)
{
    struct fixture *f = *state;
    f->task.attempt = 2;
    struct exec_files *files = prepare(f, "{'argv': ['ls'], 'split': true}");
    assert_true(exec_files_prepared(files));
    assert_true(files->out_fd >= 0 && files->err_fd >= 0);
    assert_true(has(f, "000/7.3.out") && has(f, "000/7.3.err"));
    job_unref(&files->job);
}

/* exec meets the error again, and words it. */
static void test_no_files(void **state)
{
    struct fixture *f = *state;
    f->tasks.output_fd = -1;
    struct exec_files *files = prepare(f, "{'argv': ['ls']}");
    assert_false(exec_files_prepared(files));
    job_unref(&files->job);
    assert_int_equal(f->processes.ahead, 0);
}

static void test_damaged_row(void **state)
{
    struct fixture *f = *state;
    struct store_task row = {.id = 7};
    struct job *job = exec_ahead(&f->processes, &f->task);
    exec_files_prepare(job, &row);
    row.args = value_new("\xc1", 1);
    exec_files_prepare(job, &row);
    assert_false(exec_files_prepared(container_of(job, struct exec_files, job)));
    store_task_done(&row);
    job_unref(job);
}

static void test_so_many_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct job *jobs[LIMIT_SPAWNS_IN_FLIGHT];
    for (size_t i = 0; i < LIMIT_SPAWNS_IN_FLIGHT; i++)
        assert_non_null(jobs[i] = exec_ahead(&f->processes, &f->task));
    assert_null(exec_ahead(&f->processes, &f->task));
    job_unref(jobs[0]);
    assert_non_null(jobs[0] = exec_ahead(&f->processes, &f->task));
    for (size_t i = 0; i < LIMIT_SPAWNS_IN_FLIGHT; i++)
        job_unref(jobs[i]);
    assert_int_equal(f->processes.ahead, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_file),    TEST(test_two_files),         TEST(test_no_files),
        TEST(test_damaged_row), TEST(test_so_many_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
