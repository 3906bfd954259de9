/* SPDX-License-Identifier: MIT */
/*
 * Lives on a disk that is full or fails: nothing that has finished is forgotten, nothing begins
 * that is not on record, and a failed disk ends the daemon.
 */
#include "tests/daemon/life_fixture.h"

#include "tests/store/fault_vfs.h"

static int setup(void **state)
{
    if (!fault_vfs_install())
        return -1;
    int r = fixture_setup(state);
    struct fixture *f = *state;
    tasks_spawner_live(&f->tasks);
    return r;
}

static int teardown(void **state)
{
    fault_vfs_fill(false);
    fault_vfs_fail_sync(false);
    fixture_teardown(state);
    fault_vfs_remove();
    return 0;
}

/* It sleeps until it tries again to record its outcome. */
static bool is_retrying(struct fixture *f, uint64_t id)
{
    const struct task *t = tasks_find(&f->tasks, id);
    return t && t->ending && strcmp(aio_task_function_name(t->life), "sleep") == 0;
}

static void test_full_at_submit(void **state)
{
    struct fixture *f = *state;
    fault_vfs_fill(true);
    uint64_t id = submit(f, &script_work);
    struct aio_future *accepted = aio_future_ref(find(f, id)->accepted);
    real_loop_run_until(&f->real, accepted);
    assert_int_equal(aio_future_result(accepted, NULL), -ENOSPC);
    aio_future_unref(accepted);
    life_until(f, is_gone, id);
    assert_counts(f, 0, 0, 0, 0);
    assert_int_equal(f->broken, 0);
}

/* The attempt cannot be recorded: the function is not called, and that it failed is kept. */
static void test_full_at_attempt(void **state)
{
    struct fixture *f = *state;
    uint64_t id = submit_at(f, &script_work, 10 * NSEC_PER_MSEC);
    life_until(f, is_accepted, id);
    fault_vfs_fill(true);
    life_until(f, is_retrying, id);
    assert_int_equal(f->script.news, 0);
    assert_held(f, 0, 0);
    fault_vfs_fill(false);
    life_until(f, is_gone, id);
    assert_outcome(f, id, STORE_FAILED, 0,
                   "{'type': 'OSError', 'message': 'No space left on device'}");
    assert_held(f, 0, 0);
}

/* An outcome waits for room, without its slot, and is not to be cancelled any more. */
static void test_full_at_the_end(void **state)
{
    struct fixture *f = *state;
    uint64_t id = submit(f, &script_work);
    life_until(f, is_running, id);
    fault_vfs_fill(true);
    script_return(find(f, id), notation_value("7"));
    life_until(f, is_retrying, id);
    assert_held(f, 0, 0);
    assert_false(cancel(f, id, false));
    assert_int_equal(f->script.recorded, 0);
    assert_counts(f, 1, 0, 0, 0);
    fault_vfs_fill(false);
    life_until(f, is_gone, id);
    assert_outcome(f, id, STORE_OK, 1, "7");
    assert_int_equal(f->script.recorded, 1);
    assert_counts(f, 0, 1, 0, 0);
}

/* Stopped while it waits for room: the next aiod finds the attempt and asks what became of it.
 */
static void test_stop_while_full(void **state)
{
    struct fixture *f = *state;
    uint64_t id = submit(f, &script_work);
    life_until(f, is_running, id);
    fault_vfs_fill(true);
    script_return(find(f, id), notation_value("7"));
    life_until(f, is_retrying, id);
    fixture_close(f);
    assert_int_equal(f->script.recorded, 0);
    assert_int_equal(f->script.unrecorded, 1);
    fault_vfs_fill(false);
    fixture_open(f);
    assert_int_equal(find(f, id)->attempt, 1);
    tasks_spawner_live(&f->tasks);
    finish(f, id);
    assert_outcome(f, id, STORE_OK, 1, "7");
}

static bool is_broken(struct fixture *f, uint64_t id)
{
    (void)id;
    return f->broken != 0;
}

static void test_broken_at_submit(void **state)
{
    struct fixture *f = *state;
    fault_vfs_fail_sync(true);
    uint64_t id = submit(f, &script_work);
    struct aio_future *accepted = aio_future_ref(find(f, id)->accepted);
    real_loop_run_until(&f->real, accepted);
    assert_int_equal(aio_future_result(accepted, NULL), -EIO);
    aio_future_unref(accepted);
    life_until(f, is_gone, id);
    assert_int_equal(f->broken, -EIO);
}

/* The daemon is told and stops. Whether the outcome reached the disk nobody knows; the next one
 * finds either it or the attempt. */
static void test_broken_at_the_end(void **state)
{
    struct fixture *f = *state;
    uint64_t id = submit(f, &script_work);
    life_until(f, is_running, id);
    fault_vfs_fail_sync(true);
    script_return(find(f, id), notation_value("7"));
    life_until(f, is_broken, id);
    assert_int_equal(f->broken, -EIO);
    fixture_close(f);
    assert_int_equal(f->script.recorded, 0);
    fault_vfs_fail_sync(false);
    f->broken = 0;
    fixture_open(f);
    tasks_spawner_live(&f->tasks);
    if (!is_gone(f, id)) {
        finish(f, id);
        assert_int_equal(f->script.attaches, 1);
    }
    assert_outcome(f, id, STORE_OK, 1, "7");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_full_at_submit),  TEST(test_full_at_attempt),  TEST(test_full_at_the_end),
        TEST(test_stop_while_full), TEST(test_broken_at_submit), TEST(test_broken_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
