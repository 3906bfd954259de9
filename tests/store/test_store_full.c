/* SPDX-License-Identifier: MIT */
/*
 * test_store_full - a disk that is really full: a small tmpfs in a mount namespace of our own.
 *
 * Needs CAP_SYS_ADMIN; without it the tests are skipped and say so.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/store/fixture.h"

enum { FULL_CHUNK = 4096 };

struct full {
    char mount[32];
    struct fixture *f;
};

static bool full_mount(struct full *d)
{
    strcpy(d->mount, "/tmp/store-full-XXXXXX");
    if (!mkdtemp(d->mount))
        return false;
    return unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", d->mount, "tmpfs", 0, "size=8m") == 0;
}

static int full_setup(void **state)
{
    struct full *d = calloc(1, sizeof(*d));
    *state = d;
    if (!full_mount(d)) {
        print_error("test_store_full: no right to mount a tmpfs here\n");
        return 0;
    }
    d->f = fixture_new(d->mount);
    if (!d->f)
        return -1;
    d->f->options.ballast_bytes = 512 * 1024;
    int r = fixture_open(d->f);
    if (r < 0)
        print_error("%s\n", d->f->err.msg);
    return r;
}

static int full_teardown(void **state)
{
    struct full *d = *state;
    if (d->f) {
        fixture_free(d->f);
        umount2(d->mount, MNT_DETACH);
    }
    rmdir(d->mount);
    free(d);
    return 0;
}

static struct fixture *full_fixture(void **state)
{
    struct full *d = *state;
    if (!d->f)
        skip();
    return d->f;
}

/* Takes all space but keep bytes. */
static void full_fill(struct fixture *f, off_t keep)
{
    char path[128], zero[FULL_CHUNK] = {0};
    fixture_path(f, "filler", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    while (write(fd, zero, sizeof(zero)) == sizeof(zero))
        ;
    struct stat st;
    fstat(fd, &st);
    if (keep && ftruncate(fd, st.st_size - keep) < 0)
        abort();
    close(fd);
}

static void full_empty(struct fixture *f)
{
    char path[128];
    fixture_path(f, "filler", path);
    unlink(path);
}

/* Until a submit is taken again: the space is looked at once a second at most. */
static int full_retry_submit(struct fixture *f, uint64_t id)
{
    uint64_t give_up = clock_awake() + 5 * NSEC_PER_SEC;
    int r;
    while ((r = task_submit(f, id)) == -ENOSPC && clock_awake() < give_up)
        ;
    return r;
}

static void test_outcomes_are_recorded_on_a_full_disk(void **state)
{
    struct fixture *f = full_fixture(state);
    for (uint64_t id = 1; id <= 50; id++)
        assert_int_equal(task_submit(f, id), 0);
    assert_true(fixture_has(f, "ballast"));
    full_fill(f, 0); /* within the second: low water was not seen coming */
    struct call end = {.op = {.verb = STORE_END, .end = {.id = 1, .outcome = STORE_OK}}};
    for (uint64_t id = 1; id <= 50; id++) {
        end.op.end.id = id;
        assert_int_equal(call_run(f, &end), 0);
    }
    assert_false(fixture_has(f, "ballast"));
    assert_int_equal(task_submit(f, 100), -ENOSPC);
    full_empty(f);
    assert_int_equal(full_retry_submit(f, 101), 0);
    assert_true(fixture_has(f, "ballast"));
    fixture_close(f);
    assert_true(fixture_has(f, "clean"));
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM task WHERE outcome = 1"), 50);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM task"), 51);
}

/* One batch of both kinds that meets the full disk: only the submit is refused. */
static void test_submits_of_a_batch_that_does_not_fit(void **state)
{
    struct fixture *f = full_fixture(state);
    assert_int_equal(task_submit(f, 1), 0);
    struct store_task t;
    task_fill(&t, 2);
    enum { LARGE = 2 * 1024 * 1024 }; /* more than the WAL has room for ahead */
    char *large = calloc(1, LARGE);
    value_unref(t.args);
    t.args = value_new(large, LARGE);
    struct call plug = {.op = {.verb = STORE_GET, .id = 99}};
    struct call calls[] = {
        {.op = {.verb = STORE_ATTEMPT, .attempt = {.id = 1, .attempt = 1}}},
        {.op = {.verb = STORE_SUBMIT, .task = &t}},
        {.op = {.verb = STORE_END, .end = {.id = 1, .outcome = STORE_FAILED}}},
        {.op = {.verb = STORE_GET, .id = 1}},
    };
    full_fill(f, 64 * 1024);
    fixture_gate_close(f);
    call_queue(f, &plug);
    fixture_gate_await(f);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        call_queue(f, &calls[i]);
    fixture_gate_open(f);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        call_await(f, &calls[i]);
    assert_int_equal(calls[0].op.err, 0);
    assert_int_equal(calls[0].op.nrows, 1);
    assert_int_equal(calls[1].op.err, -ENOSPC);
    assert_int_equal(calls[2].op.err, 0);
    assert_int_equal(calls[3].op.rows[0].outcome, STORE_FAILED);
    store_rows_free(&calls[0].op);
    store_rows_free(&calls[3].op);
    store_task_done(&t);
    free(large);
}

/* Submits stop while there is room, so that the ballast is not even needed. */
static void test_low_water_refuses_submits(void **state)
{
    struct fixture *f = full_fixture(state);
    full_fill(f, 300 * 1024);
    fixture_close(f);
    assert_int_equal(fixture_open(f), 0); /* asks the file system anew */
    assert_int_equal(task_submit(f, 1), -ENOSPC);
    assert_true(fixture_has(f, "ballast"));
    full_empty(f);
    assert_int_equal(full_retry_submit(f, 2), 0);
    assert_int_equal(task_end(f, 2, STORE_OK), 0);
}

static void test_start_on_a_full_disk(void **state)
{
    struct fixture *f = full_fixture(state);
    for (uint64_t id = 1; id <= 20; id++)
        assert_int_equal(task_submit(f, id), 0);
    fixture_close(f);
    char path[128];
    fixture_path(f, "ballast", path);
    unlink(path); /* as if it had been given up before */
    full_fill(f, 0);
    assert_int_equal(fixture_open(f), 0);
    assert_false(fixture_has(f, "ballast"));
    assert_int_equal(task_submit(f, 21), -ENOSPC);
    assert_int_equal(task_end(f, 1, STORE_OK), -ENOSPC); /* nothing left to give */
    struct call get = {.op = {.verb = STORE_GET, .id = 20}};
    assert_int_equal(call_run(f, &get), 0);
    store_rows_free(&get.op);
    full_empty(f);
    assert_int_equal(task_end(f, 1, STORE_OK), 0);
    assert_int_equal(full_retry_submit(f, 22), 0);
    assert_true(fixture_has(f, "ballast"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, full_setup, full_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_outcomes_are_recorded_on_a_full_disk),
        TEST(test_submits_of_a_batch_that_does_not_fit),
        TEST(test_low_water_refuses_submits),
        TEST(test_start_on_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
