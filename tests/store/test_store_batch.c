/* SPDX-License-Identifier: MIT */
/*
 * test_store_batch - many operations in one commit: order, failures that stay alone, laziness,
 * and environments that are stored once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/store/fixture.h"

enum { BATCH_MANY = 600 }; /* more than one batch holds */

struct many {
    struct call calls[BATCH_MANY];
    struct store_task tasks[BATCH_MANY];
    struct call plug;
};

static struct many *many_new(unsigned count)
{
    struct many *m = calloc(1, sizeof(*m));
    for (unsigned i = 0; i < count; i++) {
        task_fill(&m->tasks[i], i + 1);
        m->calls[i].op = (struct store_op){.verb = STORE_SUBMIT, .task = &m->tasks[i]};
    }
    return m;
}

static void many_free(struct many *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        store_task_done(&m->tasks[i]);
    free(m);
}

/* Queues the calls while the store thread stands at the gate, so that they form batches
 * together; returns how many commits they took. */
static uint64_t many_run(struct fixture *f, struct many *m, unsigned count)
{
    m->plug.op = (struct store_op){.verb = STORE_GET, .id = 1};
    fixture_gate_close(f);
    call_queue(f, &m->plug);
    fixture_gate_await(f);
    uint64_t before = store_commits(f->store);
    for (unsigned i = 0; i < count; i++)
        call_queue(f, &m->calls[i]);
    fixture_gate_open(f);
    for (unsigned i = 0; i < count; i++)
        call_await(f, &m->calls[i]);
    store_rows_free(&m->plug.op);
    return store_commits(f->store) - before;
}

static void test_many_in_one_commit_in_order(void **state)
{
    struct fixture *f = *state;
    struct many *m = many_new(300);
    assert_true(many_run(f, m, 300) == 1);
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(m->calls[i].op.err, 0);
        assert_int_equal(m->calls[i].order, m->plug.order + 1 + i);
    }
    many_free(m, 300);
}

static void test_a_batch_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct many *m = many_new(BATCH_MANY);
    assert_true(many_run(f, m, BATCH_MANY) == 2); /* 512 + 88 */
    assert_int_equal(m->calls[BATCH_MANY - 1].order, m->plug.order + BATCH_MANY);
    many_free(m, BATCH_MANY);
}

static void test_a_batch_is_bounded_in_bytes(void **state)
{
    struct fixture *f = *state;
    struct many *m = many_new(5);
    char *large = calloc(1, LIMIT_ARGS_BYTES);
    for (unsigned i = 0; i < 5; i++) {
        value_unref(m->tasks[i].args);
        m->tasks[i].args = value_new(large, LIMIT_ARGS_BYTES);
    }
    assert_true(many_run(f, m, 5) == 3);
    struct call get = {.op = {.verb = STORE_GET, .id = 5}};
    assert_int_equal(call_run(f, &get), 0);
    assert_int_equal(get.op.rows[0].args->len, LIMIT_ARGS_BYTES);
    store_rows_free(&get.op);
    free(large);
    many_free(m, 5);
}

static void test_a_bad_one_fails_alone(void **state)
{
    struct fixture *f = *state;
    struct many *m = many_new(9);
    static const struct {
        unsigned at;
        int err;
    } bad[] = {{2, -EEXIST}, {4, -EINVAL}, {6, -E2BIG}, {8, -EINVAL}};
    char *large = calloc(1, 5 * 1024 * 1024);
    m->tasks[2].id = 1;
    free(TAKE_PTR(m->tasks[4].function));
    value_unref(m->tasks[6].args);
    m->tasks[6].args = value_new(large, 5 * 1024 * 1024);
    m->tasks[6].env = value_unref(m->tasks[6].env);
    m->tasks[6].env = value_new("only here", 9);
    m->tasks[8].args = value_unref(m->tasks[8].args);
    assert_true(many_run(f, m, 9) == 2); /* the large one ends a batch */
    for (unsigned i = 0, next = 0; i < 9; i++) {
        int wanted = next < ARRAY_SIZE(bad) && bad[next].at == i ? bad[next++].err : 0;
        assert_int_equal(m->calls[i].op.err, wanted);
    }
    free(large);
    many_free(m, 9);
    fixture_close(f);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM task"), 5);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM intern"), 2);
}

static void test_a_whole_life_in_one_batch(void **state)
{
    struct fixture *f = *state;
    struct many *m = many_new(1);
    m->calls[1].op = (struct store_op){.verb = STORE_ATTEMPT, .attempt = {.id = 1}};
    m->calls[2].op = (struct store_op){
        .verb = STORE_END, .lazy = true, .end = {.id = 1, .outcome = STORE_OK}};
    m->calls[3].op = (struct store_op){.verb = STORE_GET, .id = 1};
    m->calls[4].op =
        (struct store_op){.verb = STORE_REMOVE, .id = 1, .remove = {.only_uid = UINT32_MAX}};
    m->calls[5].op = (struct store_op){.verb = STORE_GET, .id = 1};
    assert_true(many_run(f, m, 6) == 1);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(m->calls[i].op.err, 0);
    assert_int_equal(m->calls[3].op.rows[0].outcome, STORE_OK);
    assert_int_equal(m->calls[3].op.rows[0].env->len, 28);
    assert_int_equal(m->calls[5].op.err, -ENOENT);
    store_rows_free(&m->calls[1].op);
    store_rows_free(&m->calls[3].op);
    many_free(m, 1);
    fixture_close(f);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM intern"), 0);
    assert_int_equal(fixture_integer(f, "SELECT value FROM meta WHERE key = 'last_id'"), 1);
}

static void test_reads_commit_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t before = store_commits(f->store);
    struct call get = {.op = {.verb = STORE_GET, .id = 1}};
    assert_int_equal(call_run(f, &get), -ENOENT);
    assert_int_equal(task_remove(f, 1), -ENOENT);
    assert_true(store_commits(f->store) == before);
}

static void test_a_lazy_one_alone_completes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 1), 0);
    struct call end = {
        .op = {.verb = STORE_END, .lazy = true, .end = {.id = 1, .outcome = STORE_OK}}};
    uint64_t before = clock_awake();
    assert_int_equal(call_run(f, &end), 0);
    assert_true(clock_awake() - before >= LIMIT_STORE_LAZY_MS * NSEC_PER_MSEC);
}

static void test_a_lazy_one_rides_along(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 1), 0);
    struct store_task t;
    task_fill(&t, 2);
    struct call end = {
        .op = {.verb = STORE_END, .lazy = true, .end = {.id = 1, .outcome = STORE_OK}}};
    struct call submit = {.op = {.verb = STORE_SUBMIT, .task = &t}};
    /* At the gate, so that the 10 ms cannot pass in between. */
    struct call plug = {.op = {.verb = STORE_GET, .id = 99}};
    fixture_gate_close(f);
    call_queue(f, &plug);
    fixture_gate_await(f);
    uint64_t before = store_commits(f->store);
    call_queue(f, &end);
    call_queue(f, &submit);
    fixture_gate_open(f);
    call_await(f, &submit);
    assert_int_equal(end.order, submit.order - 1);
    assert_int_equal(end.op.err, 0);
    assert_true(store_commits(f->store) == before + 1);
    store_task_done(&t);
}

static void test_close_completes_what_is_queued(void **state)
{
    struct fixture *f = *state;
    struct many *m = many_new(50);
    for (unsigned i = 0; i < 50; i++) {
        m->calls[i].op.lazy = true;
        call_queue(f, &m->calls[i]);
    }
    fixture_close(f);
    for (unsigned i = 0; i < 50; i++)
        assert_true(m->calls[i].order > 0 && m->calls[i].op.err == 0);
    many_free(m, 50);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM task"), 50);
}

static struct {
    pthread_t thread;
    unsigned calls;
    uint64_t commits; /* at the last call */
    unsigned completed;
    bool had_row;
} told;

static void tell_committed(struct store_op *op)
{
    struct call *call = container_of(op, struct call, op);
    told.thread = pthread_self();
    told.calls++;
    told.commits = store_commits(call->fixture->store);
    told.completed = call->fixture->completed;
    told.had_row = op->nrows == 1 && op->rows[0].args;
}

/* Behind the commit, before done, on the store's thread; and not for what was refused. */
static void test_what_belongs_to_a_commit(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 1), 0);
    uint64_t before = store_commits(f->store);
    unsigned completed = f->completed;
    struct call attempt = {.op = {.verb = STORE_ATTEMPT,
                                  .id = 1,
                                  .attempt = {.id = 1, .attempt = 1},
                                  .committed = tell_committed}};
    assert_int_equal(call_run(f, &attempt), 0);
    assert_int_equal(told.calls, 1);
    assert_false(pthread_equal(told.thread, pthread_self()));
    assert_true(told.commits == before + 1);
    assert_int_equal(told.completed, completed);
    assert_true(told.had_row);
    store_rows_free(&attempt.op);

    struct call missing = {.op = {.verb = STORE_ATTEMPT,
                                  .id = 9,
                                  .attempt = {.id = 9, .attempt = 1},
                                  .committed = tell_committed}};
    assert_int_equal(call_run(f, &missing), -ENOENT);
    assert_int_equal(told.calls, 1);
}

static void test_environments_are_stored_once(void **state)
{
    struct fixture *f = *state;
    for (uint64_t round = 0; round < 2; round++) {
        struct many *m = many_new(500);
        for (unsigned i = 0; i < 500; i++)
            m->tasks[i].id += round * 500;
        many_run(f, m, 500);
        for (unsigned i = 0; i < 500; i++)
            assert_int_equal(m->calls[i].op.err, 0);
        many_free(m, 500);
        fixture_close(f); /* the second round finds the rows in the database, not in memory */
        assert_int_equal(fixture_open(f), 0);
    }
    fixture_close(f);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM intern"), 2);
    assert_int_equal(fixture_integer(f, "SELECT refs FROM intern WHERE kind = 1"), 1000);
    assert_int_equal(fixture_open(f), 0);
    for (uint64_t id = 1; id <= 999; id++) {
        struct call end = {.op = {.verb = STORE_END, .end = {.id = id, .outcome = STORE_OK}}};
        struct call rm = {
            .op = {.verb = STORE_REMOVE, .id = id, .remove = {.only_uid = UINT32_MAX}}};
        call_queue(f, &end);
        call_queue(f, &rm);
        if (id % 64 == 0)
            assert_int_equal(task_submit(f, 2000 + id), 0); /* takes and gives in turns */
        call_await(f, &rm);
        assert_int_equal(rm.op.err, 0);
    }
    fixture_close(f);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM intern"), 2);
    assert_int_equal(fixture_integer(f, "SELECT refs FROM intern WHERE kind = 1"), 1 + 15);
}

/* More contents than are kept in memory, shared by two tasks each, of two users. */
static void test_many_environments(void **state)
{
    struct fixture *f = *state;
    struct many *m = many_new(400);
    for (unsigned i = 0; i < 400; i++) {
        char text[16384];
        memset(text, 'x', sizeof(text));
        snprintf(text, sizeof(text), "N=%u", i % 200);
        value_unref(m->tasks[i].env);
        m->tasks[i].env = value_new(text, sizeof(text));
        m->tasks[i].uid = 1000 + i % 2;
    }
    many_run(f, m, 400);
    for (unsigned i = 0; i < 400; i++) {
        struct call get = {.op = {.verb = STORE_GET, .id = i + 1}};
        assert_int_equal(call_run(f, &get), 0);
        task_assert_submitted(get.op.rows, &m->tasks[i]);
        assert_non_null(get.op.rows[0].env);
        store_rows_free(&get.op);
    }
    many_free(m, 400);
    fixture_close(f);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM intern WHERE kind = 1"), 200);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM intern WHERE kind = 2"), 2);
    assert_int_equal(fixture_integer(f, "SELECT min(refs) FROM intern"), 2);
    assert_int_equal(fixture_integer(f, "SELECT sum(refs) FROM intern"), 800);
}

/* The same bytes of two users, and as another kind, are not shared. */
static void test_users_do_not_share(void **state)
{
    struct fixture *f = *state;
    struct many *m = many_new(2);
    m->tasks[1].uid = 5;
    value_unref(m->tasks[1].creds);
    m->tasks[1].creds = value_ref(m->tasks[1].env);
    many_run(f, m, 2);
    many_free(m, 2);
    fixture_close(f);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM intern"), 4);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_many_in_one_commit_in_order),
        TEST(test_a_batch_is_bounded),
        TEST(test_a_batch_is_bounded_in_bytes),
        TEST(test_a_bad_one_fails_alone),
        TEST(test_a_whole_life_in_one_batch),
        TEST(test_reads_commit_nothing),
        TEST(test_a_lazy_one_alone_completes),
        TEST(test_a_lazy_one_rides_along),
        TEST(test_close_completes_what_is_queued),
        TEST(test_what_belongs_to_a_commit),
        TEST(test_environments_are_stored_once),
        TEST(test_many_environments),
        TEST(test_users_do_not_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
