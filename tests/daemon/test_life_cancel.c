/* SPDX-License-Identifier: MIT */
/*
 * A cancel in every phase of a task's life: the outcome, who asked, that nothing started which
 * had not, and that neither a slot nor a place is lost.
 */
#include "tests/daemon/life_fixture.h"

#include "base/limits.h"

static const char details[] = "{'type': 'Signal', 'message': 'ended by SIGTERM', 'signal': 15}";

/* What others hold while the task is in the phase and when it is gone. */
static uint32_t held_by_others(enum phase phase, bool places)
{
    if (phase == PHASE_PLACE)
        return places ? 1 + LIMIT_AHEAD : 1;
    return phase == PHASE_SLOT;
}

static void test_phase(void **state, enum phase phase)
{
    struct fixture *f = *state;
    uint64_t id = reach(f, phase);
    uint32_t attempt = phase >= PHASE_ATTEMPT && phase != PHASE_PLACE;
    unsigned news = f->script.news;
    assert_int_equal(cancel(f, id, false), phase != PHASE_ENDING);
    life_until(f, is_gone, id);
    if (phase == PHASE_ENDING)
        assert_outcome(f, id, STORE_OK, 1, "7");
    else
        assert_outcome(f, id, STORE_CANCELLED, attempt,
                       phase == PHASE_RUNNING ? details : NULL);
    assert_int_equal(f->script.news, news); /* nothing began because of it */
    assert_held(f, held_by_others(phase, false), held_by_others(phase, true));
    assert_int_equal(f->script.recorded, 1);
    for (uint64_t other = 1; other < id; other++)
        finish(f, other);
    assert_held(f, 0, 0);
    assert_counts(f, 0, id - 1 + (phase == PHASE_ENDING), 0, phase != PHASE_ENDING);
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

/* Whoever submitted is answered all the same: the task is on disk. */
static void test_submit_is_answered(void **state)
{
    struct fixture *f = *state;
    uint64_t id = reach(f, PHASE_NEW);
    struct aio_future *accepted = aio_future_ref(find(f, id)->accepted);
    assert_true(cancel(f, id, false));
    real_loop_run_until(&f->real, accepted);
    assert_int_equal(aio_future_result(accepted, NULL), 0);
    aio_future_unref(accepted);
    life_until(f, is_gone, id);
}

/* A slot that is freed in the turn of the cancel goes to the next in line. */
static void test_slot_is_handed_on(void **state)
{
    struct fixture *f = *state;
    tasks_spawner_live(&f->tasks);
    uint64_t first = submit(f, &script_work), second = submit(f, &script_work),
             third = submit(f, &script_work);
    life_until(f, is_recorded, third);
    script_return(find(f, first), NULL);
    life_until(f, is_ending, first); /* its slot is the second's now */
    assert_int_equal(find(f, first)->group->slots_held, 1);
    store_call_unref(tasks_cancel(find(f, second), SOMEBODY, false));
    life_until(f, is_running, third);
    assert_true(is_gone(f, second) || find(f, second)->ending);
    assert_int_equal(f->script.news, 2);
    life_until(f, is_gone, second);
    assert_held(f, 1, 1);
    finish(f, third);
    assert_held(f, 0, 0);
}

/* As in asyncio: a coroutine may go on, or return, after a cancel. */
static void test_function_refuses(void **state)
{
    struct fixture *f = *state;
    uint64_t id = reach(f, PHASE_RUNNING);
    f->script.policy = SCRIPT_REFUSE;
    assert_true(cancel(f, id, false));
    assert_true(cancel(f, id, false));
    assert_int_equal(f->script.cancels, 2);
    assert_held(f, 1, 1);
    finish(f, id);
    assert_outcome(f, id, STORE_OK, 1, "7");
    assert_held(f, 0, 0);
}

static void test_function_swallows(void **state)
{
    struct fixture *f = *state;
    uint64_t id = reach(f, PHASE_RUNNING);
    f->script.policy = SCRIPT_SWALLOW;
    assert_true(cancel(f, id, false));
    life_until(f, is_gone, id);
    assert_outcome(f, id, STORE_OK, 1, "'swallowed'");
    assert_counts(f, 0, 1, 0, 0);
}

/* The cancel that comes before the step which would see the result wins. */
static void test_cancel_wins(void **state)
{
    struct fixture *f = *state;
    uint64_t id = reach(f, PHASE_RUNNING);
    script_return(find(f, id), notation_value("7"));
    assert_true(cancel(f, id, false));
    life_until(f, is_gone, id);
    assert_outcome(f, id, STORE_CANCELLED, 1, details);
    assert_counts(f, 0, 0, 0, 1);
}

/* Who asked first is on record, and the strongest that was asked for. */
static void test_twice(void **state)
{
    struct fixture *f = *state;
    uint64_t id = reach(f, PHASE_RUNNING);
    f->script.policy = SCRIPT_REFUSE;
    assert_true(cancel(f, id, true));
    uint64_t at = find(f, id)->cancel_ns;
    assert_int_not_equal(at, 0);
    struct store_call *again = tasks_cancel(find(f, id), 0, false);
    real_loop_run_until(&f->real, &again->future);
    store_call_unref(again);
    assert_int_equal(find(f, id)->cancel_uid, SOMEBODY);
    assert_int_equal(find(f, id)->cancel_ns, at);
    assert_true(find(f, id)->cancel_kill);
    finish(f, id);
    struct store_call *get = store_call_new(f->tasks.sched, STORE_GET);
    get->op.id = id;
    real_loop_run_until(&f->real, store_call_start(get, f->store));
    assert_int_equal(get->op.rows[0].cancel_uid, SOMEBODY);
    assert_int_equal(get->op.rows[0].cancel_ns, at);
    assert_true(get->op.rows[0].cancel_kill);
    store_call_unref(get);
}

/* Those without a slot. */
static void test_think(void **state)
{
    struct fixture *f = *state;
    uint64_t fresh = submit(f, &script_think);
    assert_true(cancel(f, fresh, false));
    life_until(f, is_gone, fresh);
    assert_outcome(f, fresh, STORE_CANCELLED, 0, NULL);
    uint64_t runs = submit(f, &script_think);
    life_until(f, is_running, runs);
    assert_true(cancel(f, runs, false));
    life_until(f, is_gone, runs);
    assert_outcome(f, runs, STORE_CANCELLED, 1, details);
    assert_counts(f, 0, 0, 0, 2);
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
        TEST(test_submit_is_answered),
        TEST(test_slot_is_handed_on),
        TEST(test_function_refuses),
        TEST(test_function_swallows),
        TEST(test_cancel_wins),
        TEST(test_twice),
        TEST(test_think),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
