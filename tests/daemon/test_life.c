/* SPDX-License-Identifier: MIT */
/*
 * The life of a task on a real loop with a real store: from its submit to its outcome, in every
 * way but a cancel (test_life_cancel) and a restart (test_life_restart).
 */
#include "tests/daemon/life_fixture.h"

#include <stdlib.h>

#include "base/limits.h"
#include "daemon/functions/register.h"
#include "daemon/tasks/line.h"
#include "daemon/tasks/view.h"

static int setup(void **state)
{
    int r = fixture_setup(state);
    struct fixture *f = *state;
    functions_register(&f->tasks.functions, &sleep_function, NULL);
    tasks_spawner_live(&f->tasks);
    return r;
}

/* ---- the happy path ---- */

static void test_ok(void **state)
{
    struct fixture *f = *state;
    uint64_t id = submit(f, &script_work);
    struct task *t = find(f, id);
    struct aio_future *accepted = aio_future_ref(t->accepted);
    assert_int_equal(id, 1);
    assert_false(t->begun);
    assert_counts(f, 1, 0, 0, 0);
    real_loop_run_until(&f->real, accepted);
    assert_int_equal(aio_future_result(accepted, NULL), 0);
    aio_future_unref(accepted);
    life_until(f, is_running, id);
    assert_int_equal(t->attempt, 1);
    assert_int_equal(f->script.news, 1);
    assert_int_equal(f->script.last_attempt, 1);
    assert_memory_not_equal(f->script.last_token, (uint8_t[STORE_TOKEN_BYTES]){0},
                            STORE_TOKEN_BYTES);
    assert_held(f, 1, 1);

    script_return(t, notation_value("{'a': 1}"));
    life_until(f, is_gone, id);
    assert_outcome(f, id, STORE_OK, 1, "{'a': 1}");
    assert_held(f, 0, 0);
    assert_counts(f, 0, 1, 0, 0);
    assert_int_equal(f->script.recorded, 1);
    assert_int_equal(f->script.unrecorded, 0);
}

static void test_no_value(void **state)
{
    struct fixture *f = *state;
    uint64_t id = submit(f, &script_think);
    life_until(f, is_running, id);
    assert_held(f, 0, 0); /* it needs no slot */
    script_return(find(f, id), NULL);
    life_until(f, is_gone, id);
    assert_outcome(f, id, STORE_OK, 1, NULL);
    assert_counts(f, 0, 1, 0, 0);
}

/* What those who await it see is what the store says of it afterwards. */
static void test_ended(void **state)
{
    struct fixture *f = *state;
    struct function_call call = {.args = notation_value("{'seconds': 0}"), .title = "sleep 0"};
    struct submit s = {
        .uid = SOMEBODY, .function = &sleep_function, .call = &call, .name = "nap"};
    struct task *t = NULL;
    struct buf b = BUF_INIT;
    struct value *view = NULL;
    assert_int_equal(tasks_submit(&f->tasks, &s, &t, NULL), 0);
    function_call_done(&call);
    uint64_t id = t->id;
    struct aio_future *ended = aio_future_ref(task_ended(t));
    assert_ptr_equal(task_ended(t), ended);
    real_loop_run_until(&f->real, ended);
    assert_true(is_gone(f, id));
    assert_int_equal(aio_future_result(ended, &view), 0);
    struct store_call *get = store_call_new(f->tasks.sched, STORE_GET);
    get->op.id = id;
    real_loop_run_until(&f->real, store_call_start(get, f->store));
    view_finished(&b, &get->op.rows[0]);
    store_call_unref(get);
    struct value *stored = pack_take(&b);
    char *text = notation_of_value(stored);
    assert_value(view, text);
    assert_non_null(strstr(text, "'outcome': 'ok'"));
    assert_non_null(strstr(text, "'name': 'nap'"));
    assert_non_null(strstr(text, "'started': '"));
    free(text);
    value_unref(stored);
    aio_future_unref(ended);
}

/* Each change of state is told once to those who asked before it. */
static void test_moved(void **state)
{
    struct fixture *f = *state;
    uint64_t id = submit(f, &script_work);
    struct aio_future *moved = aio_future_ref(task_moved(find(f, id)));
    real_loop_run_until(&f->real, moved);
    aio_future_unref(moved);
    assert_int_equal(find(f, id)->state, TASK_RUNNING);
    moved = aio_future_ref(task_moved(find(f, id)));
    one_turn(f);
    assert_false(aio_future_is_done(moved));
    script_return(find(f, id), NULL);
    real_loop_run_until(&f->real, moved);
    aio_future_unref(moved);
    assert_true(is_gone(f, id));
}

static void test_due(void **state)
{
    struct fixture *f = *state;
    groups_set(&f->tasks.groups, "default", 2);
    uint64_t before = clock_boot();
    uint64_t id = submit_at(f, &script_work, 30 * NSEC_PER_MSEC);
    uint64_t late = submit_at(f, &script_work, 1); /* in the past when it is looked at */
    life_until(f, is_running, late);
    life_until(f, is_running, id);
    assert_true(clock_boot() >= before + 30 * NSEC_PER_MSEC);
    assert_held(f, 2, 2);
    finish(f, late);
    finish(f, id);
    assert_counts(f, 0, 2, 0, 0);
}

/* Until when it waits is said on the wall clock. */
static void test_until(void **state)
{
    struct fixture *f = *state;
    uint64_t before = clock_wall();
    uint64_t id = reach(f, PHASE_TIMER);
    const struct task *t = find(f, id);
    assert_int_equal(t->state, TASK_PENDING);
    assert_in_range(t->until_ns, before + 3590 * NSEC_PER_SEC,
                    clock_wall() + 3610 * NSEC_PER_SEC);
    assert_true(cancel(f, id, false));
    life_until(f, is_gone, id);
}

/* ---- failures ---- */

static void test_raise(void **state)
{
    struct fixture *f = *state;
    uint64_t id = submit(f, &script_work);
    life_until(f, is_running, id);
    script_raise(find(f, id), -EIO, view_error("ExitStatus", "exit 3", 3, -1));
    life_until(f, is_gone, id);
    assert_outcome(f, id, STORE_FAILED, 1,
                   "{'type': 'ExitStatus', 'message': 'exit 3', 'exit': 3}");
    id = submit(f, &script_work);
    life_until(f, is_running, id);
    script_raise(find(f, id), -ENOENT, NULL);
    life_until(f, is_gone, id);
    assert_outcome(f, id, STORE_FAILED, 1,
                   "{'type': 'OSError', 'message': 'No such file or directory'}");
    assert_counts(f, 0, 0, 2, 0);
    assert_held(f, 0, 0);
}

static void test_no_memory(void **state)
{
    struct fixture *f = *state;
    f->script.no_memory = true;
    uint64_t id = submit(f, &script_work);
    life_until(f, is_gone, id);
    assert_outcome(f, id, STORE_FAILED, 1,
                   "{'type': 'OSError', 'message': 'Cannot allocate memory'}");
    assert_held(f, 0, 0);
    assert_int_equal(f->script.recorded, 1);
}

/* ---- the line ---- */

static void test_first_come_first_served(void **state)
{
    struct fixture *f = *state;
    uint64_t ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = submit(f, &script_work);
    life_until(f, is_recorded, ids[3]);
    for (int i = 0; i < 4; i++) {
        life_until(f, is_running, ids[i]);
        for (int k = i + 1; k < 4; k++) {
            const struct task *t = find(f, ids[k]);
            assert_int_equal(t->state, TASK_PENDING);
            assert_int_equal(t->awaits, AWAITS_SLOT);
            assert_int_equal(line_position(t->group, t, 10), k - i);
        }
        assert_held(f, 1, (uint32_t)(4 - i));
        finish(f, ids[i]);
    }
    assert_held(f, 0, 0);
    assert_counts(f, 0, 4, 0, 0);
}

/* So many attempts and no more are recorded before their slot is free. */
static void test_recorded_ahead(void **state)
{
    struct fixture *f = *state;
    enum { N = 1 + LIMIT_AHEAD + 2 };
    uint64_t ids[N];
    for (int i = 0; i < N; i++)
        ids[i] = submit(f, &script_work);
    life_until(f, is_recorded, ids[LIMIT_AHEAD]);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(find(f, ids[i])->attempt, i <= LIMIT_AHEAD ? 1 : 0);
    assert_held(f, 1, 1 + LIMIT_AHEAD);
    for (int i = 0; i < N; i++)
        finish(f, ids[i]);
    assert_held(f, 0, 0);
    assert_int_equal(f->script.news, N);
}

static void test_more_slots(void **state)
{
    struct fixture *f = *state;
    uint64_t first = submit(f, &script_work), second = submit(f, &script_work);
    life_until(f, is_recorded, second);
    assert_false(is_running(f, second));
    groups_set(&f->tasks.groups, "default", 2);
    life_until(f, is_running, second);
    assert_held(f, 2, 2);
    finish(f, second);
    finish(f, first);
    assert_held(f, 0, 0);
}

/* ---- what is refused ---- */

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct function_call call = {.args = notation_value("{}"), .title = ""};
    struct submit s = {.uid = SOMEBODY, .function = &script_work, .call = &call, .group = "x"};
    struct err err = ERR_INIT;
    struct task *t = NULL;
    assert_int_equal(tasks_submit(&f->tasks, &s, &t, &err), -ENOENT);
    assert_string_equal(err.msg, "there is no group x");
    assert_null(t);
    assert_int_equal(f->tasks.last_id, 0);
    function_call_done(&call);
}

static void test_limit(void **state)
{
    struct fixture *f = *state;
    struct function_call call = {.args = notation_value("{}"), .title = ""};
    struct submit s = {.uid = SOMEBODY, .function = &script_work, .call = &call};
    struct err err = ERR_INIT;
    struct task *t = NULL;
    f->tasks.queued_per_uid = 2;
    uint64_t first = submit(f, &script_work), second = submit(f, &script_work);
    assert_int_equal(tasks_submit(&f->tasks, &s, &t, &err), -EDQUOT);
    assert_string_equal(err.msg, "2 tasks of this user are live already, which is the limit");
    /* neither the owner nor root, nor another user, is held by it */
    static const uint32_t others[] = {OWNER, 0, SOMEBODY + 1};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        s.uid = others[i];
        assert_int_equal(tasks_submit(&f->tasks, &s, &t, &err), 0);
    }
    function_call_done(&call);
    finish(f, first); /* one that is DONE does not count */
    assert_true(submit(f, &script_work) > second);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ok),
        TEST(test_no_value),
        TEST(test_ended),
        TEST(test_moved),
        TEST(test_due),
        TEST(test_until),
        TEST(test_raise),
        TEST(test_no_memory),
        TEST(test_first_come_first_served),
        TEST(test_recorded_ahead),
        TEST(test_more_slots),
        TEST(test_refused),
        TEST(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
