/* SPDX-License-Identifier: MIT */
/*
 * Futures and their done callbacks. CPython cases are named where they are ported
 * (test_futures). Left out: test_copy_state, test_wrap_future_cancel and _cancel2 (nothing
 * chains futures yet), test_future_exception_never_retrieved and the logging half of
 * test_tb_logger_* (there is no garbage collection and no exception handler: the flag is what
 * is looked at).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/fake_loop.h"

/* A done callback that notes its name and how the future ended, and may do one more thing. */
struct watch {
    struct aio_done done;
    struct fake_loop *loop;
    const char *name;
    void (*also)(struct watch *, struct aio_future *);
    struct watch *other;
};

static void watch_done(struct aio_done *done, struct aio_future *f)
{
    struct watch *watch = container_of(done, struct watch, done);

    fake_loop_note(watch->loop, "%s %s", watch->name, future_text(f));
    if (watch->also)
        watch->also(watch, f);
}

static void watch_add(struct watch *watch, struct fake_loop *loop, struct aio_future *f,
                      const char *name)
{
    *watch = (struct watch){.loop = loop, .name = name};
    aio_future_add_done(f, &watch->done, watch_done);
}

static int setup(void **state)
{
    static struct fake_loop loop;
    fake_loop_init(&loop);
    *state = &loop;
    return 0;
}

static int teardown(void **state)
{
    fake_loop_done(*state);
    return 0;
}

/* test_futures: test_initial_state */
static void test_initial_state(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);

    assert_false(aio_future_is_done(f));
    assert_int_equal(aio_future_result(f, NULL), -EINPROGRESS);
    assert_true(aio_future_cancel(f, NULL));
    assert_true(aio_future_is_done(f));
}

/* test_futures: test_cancel */
static void test_cancel(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    _cleanup_(value_unrefp) struct value *reason = text_value("enough");

    assert_true(aio_future_cancel(f, reason));
    assert_future(f, "cancelled enough");
    assert_int_equal(aio_future_set_result(f, text_value("x")), -EALREADY);
    assert_int_equal(aio_future_set_error(f, -EIO, text_value("x")), -EALREADY);
    assert_false(aio_future_cancel(f, NULL));
    assert_future(f, "cancelled enough");
}

/* test_futures: test_result */
static void test_result(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);

    assert_future(f, "pending");
    assert_int_equal(aio_future_set_result(f, text_value("42")), 0);
    assert_future(f, "ok 42");
    assert_int_equal(aio_future_set_result(f, text_value("43")), -EALREADY);
    assert_int_equal(aio_future_set_error(f, -EIO, NULL), -EALREADY);
    assert_false(aio_future_cancel(f, NULL));
    assert_future(f, "ok 42");
}

/* test_futures: test_exception */
static void test_error(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);

    assert_int_equal(aio_future_set_error(f, -EPIPE, text_value("broken")), 0);
    assert_future(f, "EPIPE broken");
    assert_int_equal(aio_future_set_result(f, NULL), -EALREADY);
    assert_int_equal(aio_future_set_error(f, -EIO, NULL), -EALREADY);
    assert_false(aio_future_cancel(f, NULL));
    assert_future(f, "EPIPE broken");
}

/* test_futures: test_exception_class, test_set_result of StopIteration: what is no error can't
 * be set as one */
static void test_error_that_is_none(void **state)
{
    static const int bad[] = {0, EIO, -ECANCELED};
    struct fake_loop *loop = *state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
        assert_int_equal(aio_future_set_error(f, bad[i], NULL), 0);
        assert_future(f, "EINVAL");
    }
}

/* test_futures: test_callbacks_invoked_on_set_result */
static void test_callbacks_on_set_result(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct watch a, b;

    watch_add(&a, loop, f, "a");
    watch_add(&b, loop, f, "b");
    fake_loop_turn(loop);
    assert_trace(loop, "");
    aio_future_set_result(f, text_value("foo"));
    assert_trace(loop, ""); /* never inline */
    fake_loop_turn(loop);
    assert_trace(loop, "0 a ok foo\n0 b ok foo\n");
}

/* test_futures: test_callbacks_invoked_on_set_exception, and on cancel */
static void test_callbacks_on_set_error_and_cancel(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *failed = aio_future_new(&loop->sched);
    _cleanup_(aio_future_unrefp) struct aio_future *cancelled = aio_future_new(&loop->sched);
    struct watch a, b;

    watch_add(&a, loop, failed, "a");
    watch_add(&b, loop, cancelled, "b");
    aio_future_cancel(cancelled, NULL);
    aio_future_set_error(failed, -EIO, NULL);
    fake_loop_turn(loop);
    assert_trace(loop, "0 b cancelled\n0 a EIO\n");
}

static void test_callback_added_to_a_done_future(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct watch a;

    aio_future_set_result(f, NULL);
    watch_add(&a, loop, f, "a");
    assert_trace(loop, "");
    fake_loop_turn(loop);
    assert_trace(loop, "0 a ok\n");
}

/* test_futures: test_remove_done_callback */
static void test_remove_done(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct watch a, b, c;
    struct aio_done zeroed = {.future = NULL};

    watch_add(&a, loop, f, "a");
    watch_add(&b, loop, f, "b");
    aio_future_remove_done(&b.done);
    aio_future_remove_done(&b.done); /* twice: no-op */
    aio_future_remove_done(&zeroed);
    watch_add(&c, loop, f, "c");
    aio_future_set_result(f, NULL);
    fake_loop_turn(loop);
    assert_trace(loop, "0 a ok\n0 c ok\n");
    aio_future_remove_done(&a.done); /* ran: no-op */
}

/* test_futures: test_callbacks_remove_first_callback, test_callbacks_remove_third_callback */
static void test_remove_first_and_third(void **state)
{
    static const char *const traces[3] = {"0 b ok\n0 c ok\n", NULL, "0 a ok\n0 b ok\n"};
    struct fake_loop *loop = *state;

    for (int gone = 0; gone < 3; gone += 2) {
        _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
        struct watch watches[3];
        watch_add(&watches[0], loop, f, "a");
        watch_add(&watches[1], loop, f, "b");
        watch_add(&watches[2], loop, f, "c");
        aio_future_remove_done(&watches[gone].done);
        aio_future_set_result(f, NULL);
        fake_loop_turn(loop);
        assert_trace(loop, traces[gone]);
    }
}

static void watch_also_remove(struct watch *watch, struct aio_future *f)
{
    (void)f;
    aio_future_remove_done(&watch->other->done);
}

/* test_futures: test_remove_done_callbacks_list_mutation: a callback removes one that was
 * scheduled together with it; that one does not run, and lets go of the future */
static void test_remove_a_scheduled_one(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_future *f = aio_future_new(&loop->sched);
    struct watch a, b, c;

    watch_add(&a, loop, f, "a");
    watch_add(&b, loop, f, "b");
    watch_add(&c, loop, f, "c");
    a.also = watch_also_remove;
    a.other = &b;
    aio_future_set_result(f, NULL);
    assert_int_equal(f->refs, 4);
    aio_future_unref(f);
    fake_loop_turn(loop);
    assert_trace(loop, "0 a ok\n0 c ok\n");
    assert_null(b.done.future);
}

static void watch_also_add(struct watch *watch, struct aio_future *f)
{
    watch_add(watch->other, watch->loop, f, "added");
}

/* test_futures: test_schedule_callbacks_list_mutation_1 and _2,
 * test_evil_call_soon_list_mutation: a callback adds one to the future that calls it, or is
 * added again itself */
static void test_add_from_a_callback(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct watch a, b, added;

    watch_add(&a, loop, f, "a");
    watch_add(&b, loop, f, "b");
    a.also = watch_also_add;
    a.other = &added;
    b.also = watch_also_add;
    b.other = &b;
    aio_future_set_result(f, NULL);
    fake_loop_turn(loop);
    assert_trace(loop, "0 a ok\n0 b ok\n");
    fake_loop_turn(loop);
    assert_trace(loop, "0 added ok\n0 added ok\n");
    fake_loop_turn(loop);
    assert_trace(loop, "");
}

/* test_futures: test_tb_logger_abandoned, _exception_unretrieved, _exception_retrieved,
 * _not_called_after_cancel: whether somebody has seen the error is known */
static void test_retrieved(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *failed = aio_future_new(&loop->sched);
    _cleanup_(aio_future_unrefp) struct aio_future *pending = aio_future_new(&loop->sched);

    assert_int_equal(aio_future_result(pending, NULL), -EINPROGRESS);
    assert_false(pending->retrieved);
    aio_future_set_error(failed, -EIO, NULL);
    assert_false(failed->retrieved);
    assert_int_equal(aio_future_result(failed, NULL), -EIO);
    assert_true(failed->retrieved);
    aio_future_set_error(pending, -EIO, NULL);
    assert_false(aio_future_cancel(pending, NULL));
    assert_true(pending->retrieved);
}

/* test_futures: test_set_result_unless_cancelled */
static void test_set_result_after_cancel(void **state)
{
    struct fake_loop *loop = *state;
    _cleanup_(aio_future_unrefp) struct aio_future *f = aio_future_new(&loop->sched);
    struct watch a;

    watch_add(&a, loop, f, "a");
    aio_future_cancel(f, NULL);
    assert_int_equal(aio_future_set_result(f, text_value("late")), -EALREADY);
    fake_loop_turn(loop);
    assert_trace(loop, "0 a cancelled\n");
}

static void test_a_scheduled_callback_keeps_the_future(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_future *f = aio_future_new(&loop->sched);
    struct watch a;

    watch_add(&a, loop, f, "a");
    aio_future_set_result(f, text_value("kept"));
    assert_null(aio_future_unref(f));
    fake_loop_turn(loop);
    assert_trace(loop, "0 a ok kept\n");
}

static void test_removing_lets_go_of_the_future(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_future *f = aio_future_new(&loop->sched);
    struct watch a, b;

    watch_add(&a, loop, f, "a"); /* registered */
    watch_add(&b, loop, f, "b"); /* scheduled */
    aio_future_unref(f);
    aio_future_remove_done(&a.done);
    aio_future_set_result(f, NULL);
    aio_future_remove_done(&b.done); /* the last reference */
    assert_int_equal(loop->sched.ready_count, 0);
}

/* An embedded future and the callback on it, in memory that the callback frees. */
struct holder {
    struct aio_future future;
    struct aio_done done;
    struct fake_loop *loop;
};

static void holder_free(struct aio_done *done, struct aio_future *f)
{
    struct holder *holder = container_of(done, struct holder, done);

    fake_loop_note(holder->loop, "%s", future_text(f));
    aio_future_done(&holder->future);
    free(holder);
}

static void test_a_callback_may_free_its_owner(void **state)
{
    struct fake_loop *loop = *state;
    struct holder *holder = calloc(1, sizeof(*holder));

    assert_non_null(holder);
    aio_future_done(&holder->future); /* zeroed: fine */
    holder->loop = loop;
    aio_future_init(&holder->future, &loop->sched, NULL);
    assert_ptr_equal(aio_future_ref(&holder->future), &holder->future); /* not counted */
    aio_future_add_done(&holder->future, &holder->done, holder_free);
    aio_future_set_result(&holder->future, text_value("gone"));
    fake_loop_turn(loop);
    assert_trace(loop, "0 ok gone\n");
}

static void test_null_is_no_future(void **state)
{
    (void)state;
    assert_null(aio_future_ref(NULL));
    assert_null(aio_future_unref(NULL));
}

static void test_a_callback_outlives_the_scheduler(void **state)
{
    struct fake_loop *loop = *state;
    struct aio_future *f = aio_future_new(&loop->sched);
    struct watch a;

    watch_add(&a, loop, f, "a");
    aio_future_set_result(f, NULL);
    aio_sched_done(&loop->sched);
    aio_future_remove_done(&a.done);
    aio_future_unref(f);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_initial_state),
        CASE(test_cancel),
        CASE(test_result),
        CASE(test_error),
        CASE(test_error_that_is_none),
        CASE(test_callbacks_on_set_result),
        CASE(test_callbacks_on_set_error_and_cancel),
        CASE(test_callback_added_to_a_done_future),
        CASE(test_remove_done),
        CASE(test_remove_first_and_third),
        CASE(test_remove_a_scheduled_one),
        CASE(test_add_from_a_callback),
        CASE(test_retrieved),
        CASE(test_set_result_after_cancel),
        CASE(test_a_scheduled_callback_keeps_the_future),
        CASE(test_removing_lets_go_of_the_future),
        CASE(test_a_callback_may_free_its_owner),
        CASE(test_null_is_no_future),
        CASE(test_a_callback_outlives_the_scheduler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
