/* SPDX-License-Identifier: MIT */
/*
 * What outlives a restart beside the tasks: groups as commands have set them, pauses, which task
 * repeats which; and tasks of a group that nobody knows any more.
 */
#include "tests/daemon/life_fixture.h"

#include "daemon/tasks/view.h"

/* What the method `group` does. */
static void say(struct fixture *f, const char *name, uint32_t slots, int paused)
{
    struct store_call *call = store_call_new(f->tasks.sched, STORE_GROUP);
    assert_non_null(call);
    call->op.group =
        (struct store_group){.name = name, .slots = slots, .paused = (int8_t)paused};
    real_loop_run_until(&f->real, store_call_start(call, f->store));
    assert_int_equal(call->op.err, 0);
    assert_non_null(groups_command(&f->tasks.groups, &call->op.group));
    store_call_unref(call);
    groups_sweep(&f->tasks.groups);
}

static struct group *group(struct fixture *f, const char *name)
{
    return groups_find(&f->tasks.groups, name);
}

static uint64_t submit_to(struct fixture *f, const char *name, uint64_t retry_of)
{
    struct function_call call = {.args = notation_value("{'n': 1}"), .title = "a title"};
    struct submit s = {.uid = SOMEBODY,
                       .function = &script_work,
                       .call = &call,
                       .group = name,
                       .retry_of = retry_of};
    struct err err = ERR_INIT;
    struct task *t = NULL;
    tasks_submit(&f->tasks, &s, &t, &err);
    function_call_done(&call);
    assert_string_equal(err.msg, "");
    uint64_t id = t->id;
    life_until(f, is_accepted, id);
    return id;
}

static bool is_in_line(struct fixture *f, uint64_t id)
{
    return find(f, id)->awaits == AWAITS_SLOT;
}

static void test_group_of_a_command(void **state)
{
    struct fixture *f = *state;
    tasks_spawner_live(&f->tasks);
    say(f, "made", 3, 0);
    say(f, "default", 2, -1);
    fixture_restart(f);
    assert_int_equal(group(f, "made")->limit, 3);
    assert_string_equal(group_from(group(f, "made")), "command");
    assert_int_equal(group(f, "default")->limit, 2); /* though the file says 1 */
    finish(f, submit_to(f, "made", 0));
}

static void test_pause(void **state)
{
    struct fixture *f = *state;
    tasks_spawner_live(&f->tasks);
    uint64_t running = submit(f, &script_work), ahead = submit(f, &script_work);
    life_until(f, is_running, running);
    life_until(f, is_recorded, ahead);
    say(f, "default", 0, 1);
    f->script.fate = FATE_KNOWN;
    fixture_restart(f);
    life_until(f, is_running, running); /* what holds a slot goes on */
    life_until(f, is_in_line, ahead);
    finish(f, running);
    uint64_t late = submit(f, &script_work);
    life_until(f, is_in_line, late);
    assert_held(f, 0, 0); /* nothing is recorded ahead, either */
    assert_int_equal(find(f, ahead)->attempt, 0);
    say(f, "default", 0, 0);
    finish(f, ahead);
    finish(f, late);
    assert_counts(f, 0, 3, 0, 0);
}

/* Its section is gone, or it was removed while aiod was down. */
static void test_group_that_nobody_knows(void **state)
{
    struct fixture *f = *state;
    tasks_spawner_live(&f->tasks);
    groups_set(&f->tasks.groups, "gone", 1);
    uint64_t first = submit_to(f, "gone", 0), second = submit_to(f, "gone", 0);
    life_until(f, is_running, first);
    f->script.fate = FATE_KNOWN;
    fixture_restart(f); /* its configuration knows default alone */
    struct group *g = group(f, "gone");
    assert_non_null(g);
    assert_string_equal(group_from(g), "task");
    assert_int_equal(g->limit, f->tasks.groups.fallback);
    assert_false(group_is_open(g));
    struct function_call call = {.args = notation_value("{}"), .title = ""};
    struct submit s = {
        .uid = SOMEBODY, .function = &script_work, .call = &call, .group = "gone"};
    struct err err = ERR_INIT;
    struct task *t = NULL;
    assert_int_equal(tasks_submit(&f->tasks, &s, &t, &err), -ENOENT);
    function_call_done(&call);
    assert_string_equal(err.msg, "group gone takes no new tasks: it was removed");
    finish(f, first);
    assert_non_null(group(f, "gone"));
    finish(f, second);
    assert_null(group(f, "gone")); /* with its last task */
}

/* What a resume leaves behind in the store says nothing, so it makes no group. */
static void test_nothing_said(void **state)
{
    struct fixture *f = *state;
    groups_set(&f->tasks.groups, "file", 1);
    say(f, "file", 0, 1);
    say(f, "file", 0, 0);
    fixture_restart(f);
    assert_null(group(f, "file"));
    assert_int_equal(f->tasks.groups.count, 1);
}

static void test_retry(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    tasks_spawner_live(&f->tasks);
    uint64_t old = submit(f, &script_work);
    finish(f, old);
    uint64_t new = submit_to(f, NULL, old);
    assert_int_equal(find(f, new)->retry_of, old);
    fixture_restart(f);
    assert_int_equal(find(f, new)->retry_of, old);
    struct aio_future *ended = aio_future_ref(task_ended(find(f, new)));
    finish(f, new);
    /* what those see who awaited it is what the store says */
    struct value *view = NULL;
    assert_int_equal(aio_future_result(ended, &view), 0);
    struct store_call *get = store_call_new(f->tasks.sched, STORE_GET);
    get->op.id = new;
    real_loop_run_until(&f->real, store_call_start(get, f->store));
    assert_int_equal(get->op.rows[0].retry_of, old);
    view_finished(&b, &get->op.rows[0]);
    assert_int_equal(b.len, view->len);
    assert_memory_equal(b.data, view->bytes, b.len);
    buf_done(&b);
    store_call_unref(get);
    aio_future_unref(ended);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_group_of_a_command), TEST(test_pause), TEST(test_group_that_nobody_knows),
        TEST(test_nothing_said),       TEST(test_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
