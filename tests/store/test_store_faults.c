/* SPDX-License-Identifier: MIT */
/*
 * test_store_faults - a disk that fails or is full, no memory, and what is done when there is
 * nothing to do.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store/fault_vfs.h"
#include "tests/store/fixture.h"

static int fault_setup(void **state)
{
    return fault_vfs_install() ? fixture_setup(state) : -1;
}

static int fault_teardown(void **state)
{
    fault_vfs_fail_sync(false);
    fault_vfs_fill(false);
    fixture_teardown(state);
    fault_vfs_remove();
    return 0;
}

static void test_a_failed_sync_is_final(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 1), 0);
    fault_vfs_fail_sync(true);
    assert_int_equal(task_submit(f, 2), -EIO);
    fault_vfs_fail_sync(false);
    unsigned syncs = fault_vfs_syncs(), writes = fault_vfs_writes();
    assert_int_equal(task_submit(f, 3), -EIO);
    assert_int_equal(task_end(f, 1, STORE_OK), -EIO);
    struct call get = {.op = {.verb = STORE_GET, .id = 1}};
    assert_int_equal(call_run(f, &get), -EIO);
    assert_null(get.op.rows);
    struct call page = {.op = {.verb = STORE_PAGE, .filter = {.before = 5, .limit = 5}}};
    assert_int_equal(call_run(f, &page), -EIO);
    fixture_close(f);
    assert_int_equal(fault_vfs_syncs(), syncs); /* none that could say it is well */
    assert_int_equal(fault_vfs_writes(), writes);
    assert_false(fixture_has(f, "clean"));
    assert_int_equal(fixture_open(f), 0);
    get = (struct call){.op = {.verb = STORE_GET, .id = 1}};
    assert_int_equal(call_run(f, &get), 0);
    store_rows_free(&get.op);
    get = (struct call){.op = {.verb = STORE_GET, .id = 3}};
    assert_int_equal(call_run(f, &get), -ENOENT);
    assert_int_equal(task_submit(f, 4), 0);
}

/* Where even the ballast is no help: writes are refused, reads are not, and it goes on
 * afterwards. */
static void test_no_room_for_anything(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 1), 0);
    assert_true(fixture_has(f, "ballast"));
    struct call plug = {.op = {.verb = STORE_GET, .id = 99}};
    fixture_gate_close(f); /* so that all three are one batch */
    call_queue(f, &plug);
    fixture_gate_await(f);
    fault_vfs_fill(true);
    struct call calls[3] = {
        {.op = {.verb = STORE_GET, .id = 1}},
        {.op = {.verb = STORE_END, .end = {.id = 1, .outcome = STORE_OK}}},
        {.op = {.verb = STORE_ATTEMPT, .attempt = {.id = 1}}},
    };
    for (int i = 0; i < 3; i++)
        call_queue(f, &calls[i]);
    fixture_gate_open(f);
    call_await(f, &plug);
    for (int i = 0; i < 3; i++)
        call_await(f, &calls[i]);
    assert_int_equal(calls[0].op.err, 0);
    assert_int_equal(calls[0].op.rows[0].outcome, STORE_LIVE);
    store_rows_free(&calls[0].op);
    assert_int_equal(calls[1].op.err, -ENOSPC);
    assert_int_equal(calls[2].op.err, -ENOSPC);
    assert_null(calls[2].op.rows);
    assert_false(fixture_has(f, "ballast"));
    fault_vfs_fill(false);
    assert_int_equal(task_end(f, 1, STORE_OK), 0);
}

/* After a quiet second the WAL is in the database and free pages are given back, and then it is
 * over. */
static void test_idle_upkeep(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    assert_int_equal(fixture_open(f), 0);
    off_t filled = fixture_size(f, "tasks.db");
    char *bytes = calloc(1, 1024 * 1024);
    struct value *large = value_new(bytes, 1024 * 1024);
    free(bytes);
    for (uint64_t id = 1; id <= 4; id++) {
        struct call end = {
            .op = {.verb = STORE_END, .end = {.id = id, .outcome = STORE_OK, .result = large}}};
        assert_int_equal(call_run(f, &end), 0);
    }
    value_unref(large);
    unsigned syncs = fault_vfs_syncs();
    while (fixture_size(f, "tasks.db") < filled + 4 * 1024 * 1024)
        assert_true(fault_vfs_await_sync(syncs++));
    for (uint64_t id = 1; id <= 4; id++)
        assert_int_equal(task_remove(f, id), 0);
    syncs = fault_vfs_syncs();
    while (fixture_size(f, "tasks.db") > filled + 1024 * 1024)
        assert_true(fault_vfs_await_sync(syncs++));
    assert_int_equal(task_submit(f, 1000), 0);
}

/* SQLite out of memory in the middle of a batch. */
static void test_no_memory_for_one(void **state)
{
    struct fixture *f = *state;
    struct call calls[3], plug = {.op = {.verb = STORE_GET, .id = 99}};
    struct store_task tasks[3];
    char *large = calloc(1, 700 * 1024);
    for (unsigned i = 0; i < 3; i++) {
        task_fill(&tasks[i], i + 1);
        calls[i] = (struct call){.op = {.verb = STORE_SUBMIT, .task = &tasks[i]}};
    }
    value_unref(tasks[1].args);
    tasks[1].args = value_new(large, 700 * 1024);
    fixture_gate_close(f);
    call_queue(f, &plug);
    fixture_gate_await(f);
    for (unsigned i = 0; i < 3; i++)
        call_queue(f, &calls[i]);
    sqlite3_hard_heap_limit64(sqlite3_memory_used() + 400 * 1024);
    fixture_gate_open(f);
    for (unsigned i = 0; i < 3; i++)
        call_await(f, &calls[i]);
    sqlite3_hard_heap_limit64(0);
    assert_int_equal(calls[0].op.err, 0);
    assert_int_equal(calls[1].op.err, -ENOMEM);
    assert_int_equal(calls[2].op.err, 0);
    call_queue(f, &calls[1]);
    call_await(f, &calls[1]);
    assert_int_equal(calls[1].op.err, 0);
    for (unsigned i = 0; i < 3; i++)
        store_task_done(&tasks[i]);
    free(large);
    fixture_close(f);
    assert_int_equal(fixture_integer(f, "SELECT refs FROM intern WHERE kind = 1"), 3);
}

#define FAULT(fn) cmocka_unit_test_setup_teardown(fn, fault_setup, fault_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT(test_a_failed_sync_is_final),
        FAULT(test_no_room_for_anything),
        FAULT(test_no_memory_for_one),
        FAULT(test_idle_upkeep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
