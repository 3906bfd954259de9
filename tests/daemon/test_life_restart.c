/* SPDX-License-Identifier: MIT */
/*
 * A stop in every phase of a task's life, and what the next aiod makes of it: nothing is lost,
 * nothing begins twice, and what runs has its slot before anything else gets one.
 */
#include "tests/daemon/life_fixture.h"

#include "base/limits.h"

/* ---- a stop in each phase, then everything ends well ---- */

/* Every task that the first daemon had comes to its end in the second. */
static void finish_all(struct fixture *f, uint64_t last)
{
    for (uint64_t id = 1; id <= last; id++)
        if (!is_gone(f, id))
            finish(f, id);
    assert_held(f, 0, 0);
    for (uint64_t id = 1; id <= last; id++)
        assert_outcome(f, id, STORE_OK, 1, "7");
    assert_counts(f, 0, last, 0, 0);
}

static void test_phase(void **state, enum phase phase)
{
    struct fixture *f = *state;
    uint64_t id = reach(f, phase);
    unsigned news = f->script.news;
    fixture_close(f);
    assert_int_equal(f->script.news, news); /* nothing began any more */
    assert_int_equal(f->script.recorded, phase == PHASE_ENDING);
    fixture_open(f);
    assert_int_equal(f->script.expects, news - (phase == PHASE_ENDING));
    assert_int_equal(f->tasks.last_id, id);
    if (phase == PHASE_ENDING) {
        assert_true(is_gone(f, id));
    } else {
        /* what was only recorded ahead has been taken back */
        assert_int_equal(find(f, id)->attempt, phase == PHASE_RUNNING);
        assert_int_equal(find(f, id)->uid, SOMEBODY);
        assert_string_equal(find(f, id)->title, "a title");
    }
    tasks_spawner_live(&f->tasks);
    if (phase == PHASE_TIMER) {
        assert_true(find(f, id)->due_ns > clock_boot());
        assert_true(cancel(f, id, false));
        life_until(f, is_gone, id);
        assert_outcome(f, id, STORE_CANCELLED, 0, NULL);
    } else {
        finish_all(f, id);
    }
}

static void test_new(void **state)
{
    test_phase(state, PHASE_NEW);
}

static void test_commit(void **state)
{
    test_phase(state, PHASE_COMMIT);
}

static void test_timer(void **state)
{
    test_phase(state, PHASE_TIMER);
}

static void test_gate(void **state)
{
    test_phase(state, PHASE_GATE);
}

static void test_place(void **state)
{
    test_phase(state, PHASE_PLACE);
}

static void test_attempt(void **state)
{
    test_phase(state, PHASE_ATTEMPT);
}

static void test_slot(void **state)
{
    test_phase(state, PHASE_SLOT);
}

static void test_running(void **state)
{
    test_phase(state, PHASE_RUNNING);
}

static void test_ending(void **state)
{
    test_phase(state, PHASE_ENDING);
}

/* A cancel that was recorded and could not be carried out any more. */
static void test_cancel_before_the_stop(void **state)
{
    static const enum phase phases[] = {PHASE_NEW, PHASE_TIMER, PHASE_PLACE, PHASE_SLOT};
    struct fixture *f = *state;
    uint64_t last = 0;
    for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
        last = reach(f, phases[i]);
        store_call_unref(tasks_cancel(find(f, last), SOMEBODY, true));
        fixture_restart(f);
        life_until(f, is_gone, last);
        assert_outcome(f, last, STORE_CANCELLED, 0, NULL);
        for (uint64_t id = 1; id < last; id++) /* those that were before it in the line */
            if (!is_gone(f, id))
                finish(f, id);
        assert_held(f, 0, 0);
    }
}

/* ---- what became of an attempt ---- */

/* One runs, one waits behind it; the daemon is started again and cannot tell yet. */
static void restart_in_doubt(struct fixture *f)
{
    tasks_spawner_live(&f->tasks);
    submit(f, &script_work);
    submit(f, &script_work);
    life_until(f, is_running, 1);
    life_until(f, is_recorded, 2);
    fixture_close(f);
    fixture_open(f);
    f->script.fate = FATE_WAIT;
    life_until(f, is_waiting_for_fate, 1);
    life_until(f, is_waiting_for_fate, 2);
    assert_int_equal(find(f, 1)->attempt, 1);
    tasks_spawner_live(&f->tasks);
    for (int i = 0; i < 4; i++)
        one_turn(f);
    assert_false(f->tasks.open); /* nobody queues before all is known */
    assert_held(f, 0, 0);
}

static void test_known(void **state)
{
    struct fixture *f = *state;
    restart_in_doubt(f);
    script_settle(&f->script, &f->tasks, FATE_KNOWN);
    life_until(f, is_running, 1);
    assert_int_equal(f->script.attaches, 1);
    assert_int_equal(f->script.news, 0);
    life_until(f, is_recorded, 2);
    assert_int_equal(find(f, 2)->state, TASK_PENDING); /* the slot is the first one's */
    assert_held(f, 1, 2);
    finish(f, 1);
    finish(f, 2);
    assert_outcome(f, 1, STORE_OK, 1, "7");
    assert_held(f, 0, 0);
    assert_counts(f, 0, 2, 0, 0);
}

static void test_lost(void **state)
{
    struct fixture *f = *state;
    restart_in_doubt(f);
    script_settle(&f->script, &f->tasks, FATE_LOST);
    life_until(f, is_gone, 1);
    assert_int_equal(f->script.attaches, 1);
    assert_outcome(f, 1, STORE_FAILED, 1,
                   "{'type': 'LostError', 'message': 'nobody can tell'}");
    finish(f, 2);
    assert_held(f, 0, 0);
    assert_counts(f, 0, 1, 1, 0);
}

/* It never started: the same attempt, under the same token, in the order of ids. */
static void test_unsent(void **state)
{
    struct fixture *f = *state;
    uint8_t token[STORE_TOKEN_BYTES];
    tasks_spawner_live(&f->tasks);
    submit(f, &script_work);
    life_until(f, is_running, 1);
    memcpy(token, f->script.last_token, sizeof(token));
    fixture_close(f);
    fixture_open(f);
    f->script.fate = FATE_WAIT;
    life_until(f, is_waiting_for_fate, 1);
    tasks_spawner_live(&f->tasks);
    uint64_t second = submit(f, &script_work);
    life_until(f, is_accepted, second);
    script_settle(&f->script, &f->tasks, FATE_UNSENT);
    life_until(f, is_running, 1);
    assert_int_equal(f->script.news, 1);
    assert_int_equal(f->script.attaches, 0);
    assert_int_equal(f->script.last_attempt, 1);
    assert_memory_equal(f->script.last_token, token, sizeof(token));
    assert_false(is_running(f, second));
    finish(f, 1);
    finish(f, second);
    assert_outcome(f, 1, STORE_OK, 1, "7");
    assert_held(f, 0, 0);
}

/* ---- a cancel while nobody can tell ---- */

static void cancel_in_doubt(struct fixture *f, enum attempt_fate fate)
{
    restart_in_doubt(f);
    assert_true(cancel(f, 1, false));
    for (int i = 0; i < 4; i++)
        one_turn(f);
    assert_true(is_waiting_for_fate(f, 1)); /* what it did has to be known first */
    assert_true(cancel(f, 1, false));
    script_settle(&f->script, &f->tasks, fate);
    life_until(f, is_gone, 1);
    finish(f, 2);
    assert_held(f, 0, 0);
}

static void test_cancel_then_known(void **state)
{
    struct fixture *f = *state;
    cancel_in_doubt(f, FATE_KNOWN);
    assert_int_equal(f->script.cancels, 1);
    assert_outcome(f, 1, STORE_CANCELLED, 1,
                   "{'type': 'Signal', 'message': 'ended by SIGTERM', 'signal': 15}");
}

static void test_cancel_then_unsent(void **state)
{
    struct fixture *f = *state;
    cancel_in_doubt(f, FATE_UNSENT);
    assert_int_equal(f->script.news, 1); /* the second's alone */
    assert_outcome(f, 1, STORE_CANCELLED, 1, NULL);
}

static void test_cancel_then_lost(void **state)
{
    struct fixture *f = *state;
    cancel_in_doubt(f, FATE_LOST);
    assert_outcome(f, 1, STORE_FAILED, 1,
                   "{'type': 'LostError', 'message': 'nobody can tell'}");
}

/* Asked for before the restart: the function is asked again. */
static void test_cancelled_before_the_restart(void **state)
{
    struct fixture *f = *state;
    f->script.policy = SCRIPT_REFUSE;
    uint64_t id = reach(f, PHASE_RUNNING);
    assert_true(cancel(f, id, true));
    fixture_restart(f);
    assert_true(find(f, id)->cancel_kill);
    assert_int_equal(find(f, id)->cancel_uid, SOMEBODY);
    life_until(f, is_gone, id);
    assert_int_equal(f->script.cancels, 1);
    assert_outcome(f, id, STORE_CANCELLED, 1,
                   "{'type': 'Signal', 'message': 'ended by SIGTERM', 'signal': 15}");
}

/* ---- a stop while nobody can tell, and in between ---- */

static void test_stop_in_doubt(void **state)
{
    struct fixture *f = *state;
    restart_in_doubt(f);
    fixture_restart(f); /* the default: what was expected is known */
    finish(f, 1);
    finish(f, 2);
    assert_outcome(f, 1, STORE_OK, 1, "7");
    assert_held(f, 0, 0);
}

/* In each of the turns between the fate and the function's first step. */
static void stop_after_doubt(struct fixture *f, enum attempt_fate fate)
{
    restart_in_doubt(f);
    for (int turns = 0; !is_running(f, 1); turns++) {
        fixture_close(f);
        fixture_open(f);
        f->script.fate = FATE_WAIT;
        tasks_spawner_live(&f->tasks);
        life_until(f, is_waiting_for_fate, 1);
        script_settle(&f->script, &f->tasks, fate);
        for (int n = 0; n < turns; n++)
            uv_run(&f->real.loop.uv, UV_RUN_ONCE);
        assert_int_equal(f->script.recorded, 0);
    }
    finish(f, 1);
    finish(f, 2);
    assert_outcome(f, 1, STORE_OK, 1, "7");
    assert_held(f, 0, 0);
}

static void test_stop_after_known(void **state)
{
    stop_after_doubt(*state, FATE_KNOWN);
}

/* The attempt is taken back on the way, and made again. */
static void test_stop_after_unsent(void **state)
{
    stop_after_doubt(*state, FATE_UNSENT);
}

/* Counts of what has finished outlive a restart. */
static void test_counts(void **state)
{
    struct fixture *f = *state;
    uint64_t id = reach(f, PHASE_RUNNING);
    finish(f, id);
    id = reach(f, PHASE_RUNNING);
    assert_true(cancel(f, id, false));
    life_until(f, is_gone, id);
    id = reach(f, PHASE_RUNNING);
    script_raise(find(f, id), -EIO, NULL);
    life_until(f, is_gone, id);
    reach(f, PHASE_TIMER);
    fixture_restart(f);
    assert_counts(f, 1, 1, 1, 1);
}

/* A database of an aiod that could do more. */
static void test_unknown_function(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    reach(f, PHASE_TIMER);
    fixture_close(f);
    fixture_open(f);
    tasks_stop(&f->tasks); /* what was loaded goes */
    life_until(f, is_gone, 1);
    f->tasks.stopping = false;
    f->tasks.functions.len = 0;
    assert_int_equal(tasks_load(&f->tasks, &err), -EUCLEAN);
    assert_string_equal(err.msg, "task 1 calls work, a function that this aiod does not have");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_new),
        TEST(test_commit),
        TEST(test_timer),
        TEST(test_gate),
        TEST(test_place),
        TEST(test_attempt),
        TEST(test_slot),
        TEST(test_running),
        TEST(test_ending),
        TEST(test_cancel_before_the_stop),
        TEST(test_known),
        TEST(test_lost),
        TEST(test_unsent),
        TEST(test_cancel_then_known),
        TEST(test_cancel_then_unsent),
        TEST(test_cancel_then_lost),
        TEST(test_cancelled_before_the_restart),
        TEST(test_stop_in_doubt),
        TEST(test_stop_after_known),
        TEST(test_stop_after_unsent),
        TEST(test_counts),
        TEST(test_unknown_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
