/* SPDX-License-Identifier: MIT */
/*
 * test_store - what goes in comes back: every column, across reopens and crashes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/fixture.h"

static void test_submit_and_get(void **state)
{
    struct fixture *f = *state;
    struct store_task t;
    task_fill(&t, 7);
    struct call c = {.op = {.verb = STORE_SUBMIT, .task = &t}};
    assert_int_equal(call_run(f, &c), 0);
    struct call get = {.op = {.verb = STORE_GET, .id = 7}};
    assert_int_equal(call_run(f, &get), 0);
    assert_int_equal(get.op.nrows, 1);
    const struct store_task *got = get.op.rows;
    assert_non_null(got->args);
    assert_non_null(got->env);
    assert_non_null(got->creds);
    task_assert_submitted(got, &t);
    assert_int_equal(got->outcome, STORE_LIVE);
    assert_int_equal(got->attempt, 0);
    assert_int_equal(got->pid, 0);
    assert_true(got->ended_ns == 0);
    assert_null(got->result);
    assert_null(got->usage);
    store_rows_free(&get.op);
    assert_null(get.op.rows);
    store_task_done(&t);
}

static void test_optional_columns(void **state)
{
    struct fixture *f = *state;
    struct store_task t = {.id = 1, .function = (char *)"sleep", .group = (char *)"g"};
    t.title = (char *)"";
    t.args = value_new("", 0);
    struct call c = {.op = {.verb = STORE_SUBMIT, .task = &t}};
    assert_int_equal(call_run(f, &c), 0);
    struct call get = {.op = {.verb = STORE_GET, .id = 1}};
    assert_int_equal(call_run(f, &get), 0);
    const struct store_task *got = get.op.rows;
    assert_null(got->name);
    assert_null(got->env);
    assert_null(got->creds);
    assert_string_equal(got->title, "");
    assert_non_null(got->args);
    assert_int_equal(got->args->len, 0);
    assert_memory_equal(got->boot_id, t.boot_id, STORE_UUID_BYTES);
    store_rows_free(&get.op);
    value_unref(t.args);
}

static struct call attempt_call(uint64_t id, uint32_t attempt)
{
    struct call c = {
        .op = {.verb = STORE_ATTEMPT,
               .attempt = {.id = id, .attempt = attempt, .wall_ns = 50, .boot_ns = 51}}};
    memset(c.op.attempt.token, 0xa1, STORE_TOKEN_BYTES);
    memset(c.op.attempt.boot, 0xb2, STORE_UUID_BYTES);
    memset(c.op.attempt.spawner, 0xc3, STORE_UUID_BYTES);
    return c;
}

static void assert_attempted(const struct store_task *got, const struct call *c)
{
    assert_int_equal(got->attempt, c->op.attempt.attempt);
    assert_true(got->attempt_ns == 50);
    assert_true(got->attempt_boot_ns == 51);
    assert_memory_equal(got->token, c->op.attempt.token, STORE_TOKEN_BYTES);
    assert_memory_equal(got->attempt_boot, c->op.attempt.boot, STORE_UUID_BYTES);
    assert_memory_equal(got->attempt_spawner, c->op.attempt.spawner, STORE_UUID_BYTES);
}

static void test_attempt_gives_the_row(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 3), 0);
    struct store_task t;
    task_fill(&t, 3);
    struct call c = attempt_call(3, 2);
    assert_int_equal(call_run(f, &c), 0);
    assert_int_equal(c.op.nrows, 1);
    assert_non_null(c.op.rows[0].args);
    assert_non_null(c.op.rows[0].env);
    assert_non_null(c.op.rows[0].creds);
    task_assert_submitted(&c.op.rows[0], &t);
    assert_attempted(&c.op.rows[0], &c);
    store_rows_free(&c.op);
    store_task_done(&t);
}

static int run_started(struct fixture *f, uint64_t id, uint32_t attempt)
{
    struct call c = {.op = {.verb = STORE_STARTED,
                            .started = {.id = id,
                                        .attempt = attempt,
                                        .pid = 4242,
                                        .start_ticks = UINT64_MAX - 1,
                                        .wall_ns = 60}}};
    return call_run(f, &c);
}

static int run_cancel(struct fixture *f, uint64_t id)
{
    struct call c = {
        .op = {.verb = STORE_CANCEL,
               .cancel = {.id = id, .wall_ns = 70, .uid = UINT32_MAX - 1, .kill = true}}};
    return call_run(f, &c);
}

static int run_end(struct fixture *f, uint64_t id)
{
    struct call c = {.op = {.verb = STORE_END,
                            .end = {.id = id,
                                    .outcome = STORE_FAILED,
                                    .wall_ns = 80,
                                    .result = value_new("exit 1", 6),
                                    .usage = value_new("cpu", 3)}}};
    int r = call_run(f, &c);
    value_unref(c.op.end.result);
    value_unref(c.op.end.usage);
    return r;
}

static void assert_history(const struct store_task *got)
{
    assert_int_equal(got->pid, 4242);
    assert_true(got->start_ticks == UINT64_MAX - 1);
    assert_true(got->started_ns == 60);
    assert_true(got->cancel_ns == 70);
    assert_true(got->cancel_uid == UINT32_MAX - 1);
    assert_int_equal(got->cancel_kill, 1);
    assert_int_equal(got->outcome, STORE_FAILED);
    assert_true(got->ended_ns == 80);
    assert_int_equal(got->result->len, 6);
    assert_memory_equal(got->result->bytes, "exit 1", 6);
    assert_int_equal(got->usage->len, 3);
    assert_memory_equal(got->usage->bytes, "cpu", 3);
}

static void test_whole_life_survives_a_reopen(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 3), 0);
    struct call c = attempt_call(3, 1);
    assert_int_equal(call_run(f, &c), 0);
    store_rows_free(&c.op);
    assert_int_equal(run_started(f, 3, 1), 0);
    assert_int_equal(run_cancel(f, 3), 0);
    assert_int_equal(run_end(f, 3), 0);
    fixture_close(f);
    assert_true(fixture_has(f, "clean"));
    assert_int_equal(fixture_open(f), 0);
    assert_false(fixture_has(f, "clean"));
    struct store_task t;
    task_fill(&t, 3);
    struct call get = {.op = {.verb = STORE_GET, .id = 3}};
    assert_int_equal(call_run(f, &get), 0);
    task_assert_submitted(get.op.rows, &t);
    assert_attempted(get.op.rows, &c);
    assert_history(get.op.rows);
    store_rows_free(&get.op);
    store_task_done(&t);
}

static void test_next_attempt_has_not_started(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 3), 0);
    struct call first = attempt_call(3, 1), second = attempt_call(3, 2);
    assert_int_equal(call_run(f, &first), 0);
    store_rows_free(&first.op);
    assert_int_equal(run_started(f, 3, 1), 0);
    assert_int_equal(call_run(f, &second), 0);
    assert_int_equal(second.op.rows[0].pid, 0);
    assert_true(second.op.rows[0].start_ticks == 0);
    assert_true(second.op.rows[0].started_ns == 0);
    store_rows_free(&second.op);
    assert_int_equal(run_started(f, 3, 1), -EALREADY);
}

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    struct call attempt = attempt_call(9, 1), get = {.op = {.verb = STORE_GET, .id = 9}};
    assert_int_equal(call_run(f, &attempt), -ENOENT);
    assert_null(attempt.op.rows);
    assert_int_equal(call_run(f, &get), -ENOENT);
    assert_null(get.op.rows);
    assert_int_equal(run_started(f, 9, 1), -ENOENT);
    assert_int_equal(run_cancel(f, 9), -ENOENT);
    assert_int_equal(run_end(f, 9), -ENOENT);
    assert_int_equal(task_remove(f, 9), -ENOENT);
    assert_int_equal(task_submit(f, 0), -EINVAL);
    assert_int_equal(task_submit(f, 9), 0);
    assert_int_equal(task_submit(f, 9), -EEXIST);
    assert_int_equal(task_remove(f, 9), -EBUSY);
    assert_int_equal(task_end(f, 9, STORE_LIVE), -EINVAL);
    assert_int_equal(task_end(f, 9, STORE_OK), 0);
    assert_int_equal(run_end(f, 9), -EALREADY);
    assert_int_equal(run_cancel(f, 9), -EALREADY);
    attempt = attempt_call(9, 1);
    assert_int_equal(call_run(f, &attempt), -EALREADY);
    assert_int_equal(call_run(f, &get), 0);
    assert_int_equal(get.op.rows[0].outcome, STORE_OK);
    assert_true(get.op.rows[0].ended_ns == 1909);
    store_rows_free(&get.op);
    assert_int_equal(task_remove(f, 9), 0);
    assert_int_equal(task_remove(f, 9), -ENOENT);
}

struct loaded {
    unsigned count;
    uint64_t ids[8];
    char *stolen;
    int stop_at;
};

static int load_one(void *ctx, struct store_task *t)
{
    struct loaded *l = ctx;
    if (l->count < 8)
        l->ids[l->count] = t->id;
    if (t->args || t->env || t->creds)
        l->ids[0] = 0;
    if (l->count++ == 0)
        l->stolen = TAKE_PTR(t->title);
    return l->stop_at && l->count == (unsigned)l->stop_at ? -EXDEV : 0;
}

static void test_load_live_in_order(void **state)
{
    struct fixture *f = *state;
    static const uint64_t ids[] = {5, 2, 9, 4, 300};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        assert_int_equal(task_submit(f, ids[i]), 0);
    assert_int_equal(task_end(f, 4, STORE_OK), 0);
    fixture_close(f);
    assert_int_equal(fixture_open(f), 0);
    struct loaded l = {0};
    assert_int_equal(store_load_live(f->store, load_one, &l, &f->err), 0);
    assert_int_equal(l.count, 4);
    static const uint64_t wanted[] = {2, 5, 9, 300};
    assert_memory_equal(l.ids, wanted, sizeof(wanted));
    assert_string_equal(l.stolen, "rsync -a src dst");
    free(l.stolen);
    l = (struct loaded){.stop_at = 2};
    assert_int_equal(store_load_live(f->store, load_one, &l, &f->err), -EXDEV);
    assert_int_equal(l.count, 2);
    free(l.stolen);
}

static int count_one(void *ctx, uint32_t uid, const struct store_counts *c)
{
    uint64_t *seen = ctx;
    seen[0]++;
    if (uid == 1000) {
        seen[1] = c->ok;
        seen[2] = c->failed;
        seen[3] = c->cancelled;
    } else {
        seen[4] = uid;
        seen[5] = c->ok + c->failed * 10 + c->cancelled * 100;
    }
    return 0;
}

static void test_load_counts(void **state)
{
    struct fixture *f = *state;
    uint64_t none[6] = {0};
    assert_int_equal(store_load_counts(f->store, count_one, none, &f->err), 0);
    assert_true(none[0] == 0);
    for (uint64_t id = 1; id <= 10; id++)
        assert_int_equal(task_submit(f, id), 0);
    for (uint64_t id = 1; id <= 9; id++)
        task_end(f, id, id <= 5 ? STORE_OK : id <= 8 ? STORE_FAILED : STORE_CANCELLED);
    struct store_task t;
    task_fill(&t, 20);
    t.uid = 77;
    struct call c = {.op = {.verb = STORE_SUBMIT, .task = &t}};
    assert_int_equal(call_run(f, &c), 0);
    assert_int_equal(task_end(f, 20, STORE_CANCELLED), 0);
    store_task_done(&t);
    fixture_close(f);
    assert_int_equal(fixture_open(f), 0);
    uint64_t seen[6] = {0};
    assert_int_equal(store_load_counts(f->store, count_one, seen, &f->err), 0);
    static const uint64_t wanted[6] = {2, 5, 3, 1, 77, 100};
    assert_memory_equal(seen, wanted, sizeof(wanted));
}

static void test_ids_are_never_used_again(void **state)
{
    struct fixture *f = *state;
    uint8_t instance[STORE_UUID_BYTES];
    memcpy(instance, store_instance(f->store), sizeof(instance));
    assert_true(store_last_id(f->store) == 0);
    assert_int_equal(task_submit(f, 41), 0);
    assert_int_equal(task_submit(f, 40), 0);
    assert_int_equal(task_end(f, 41, STORE_OK), 0);
    assert_int_equal(task_remove(f, 41), 0);
    fixture_close(f);
    assert_int_equal(fixture_open(f), 0);
    assert_true(store_last_id(f->store) == 41);
    assert_memory_equal(store_instance(f->store), instance, sizeof(instance));
}

/* In a child: submits tasks and writes the id of each that is acknowledged; dies in the middle.
 */
static void crash_child(struct fixture *f, int out)
{
    if (fixture_open(f) < 0)
        _exit(1);
    for (uint64_t id = 1; id <= 200; id++)
        if (task_submit(f, id) < 0 || write(out, &id, sizeof(id)) != sizeof(id))
            _exit(2);
    _exit(0);
}

static void test_acknowledged_survives_a_crash(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        crash_child(f, ends[1]);
    close(ends[1]);
    uint64_t id, last = 0;
    while (read(ends[0], &id, sizeof(id)) == sizeof(id))
        last = id;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(last == 200);
    assert_false(fixture_has(f, "clean"));
    assert_int_equal(fixture_open(f), 0);
    assert_true(store_last_id(f->store) == 200);
    struct loaded l = {0};
    assert_int_equal(store_load_live(f->store, load_one, &l, &f->err), 0);
    assert_int_equal(l.count, 200);
    free(l.stolen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_submit_and_get, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_optional_columns, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_attempt_gives_the_row, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_whole_life_survives_a_reopen, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_next_attempt_has_not_started, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_load_live_in_order, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_load_counts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ids_are_never_used_again, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_acknowledged_survives_a_crash, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
