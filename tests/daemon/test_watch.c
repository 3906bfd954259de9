/* SPDX-License-Identifier: MIT */
/*
 * What watchers are told of tasks, from the submit to the outcome: everything, once, in order, and
 * nothing of what is not on disk.
 */
#include "tests/daemon/life_fixture.h"

/* "ID WAS>STATE" for each event it is told. */
struct diary {
    struct watcher watcher;
    struct buf text;
    unsigned bodies; /* asked for */
    bool reads;      /* looks at the bodies */
};

static void diary_told(struct watcher *watcher, struct watch_event *event)
{
    struct diary *d = container_of(watcher, struct diary, watcher);
    uint32_t keys;
    if (d->reads) {
        const struct buf *body = watch_body(event, &keys);
        assert_true(buf_ok(body) && body->len > 0 && keys > 0);
        assert_ptr_equal(watch_body(event, &keys), body); /* rendered once */
        d->bodies++;
    }
    if (event->what == WATCH_GROUP) {
        buf_printf(&d->text, "%s\n", event->group);
        return;
    }
    buf_printf(&d->text, "%u %s>%s\n", (unsigned)event->id, event->was ? event->was : "",
               event->what == WATCH_REMOVED ? "removed"
               : event->task                ? task_state_name(event->task->state)
                                            : "DONE");
    assert_int_equal(event->uid, SOMEBODY);
    assert_string_equal(event->group, "default");
}

static void diary_begin(struct diary *d, struct fixture *f)
{
    *d = (struct diary){.reads = true};
    watch_begin(&f->tasks.watchers, &d->watcher, diary_told);
}

#define assert_diary(d, expected)                                                              \
    do {                                                                                       \
        assert_string_equal(buf_cstr(&(d)->text), expected);                                   \
        buf_clear(&(d)->text);                                                                 \
    } while (0)

static int setup(void **state)
{
    fixture_setup(state);
    tasks_spawner_live(&((struct fixture *)*state)->tasks);
    return 0;
}

static void diary_end(struct diary *d)
{
    watch_end(&d->watcher);
    watch_end(&d->watcher); /* twice is nothing */
    buf_done(&d->text);
}

static void test_a_life(void **state)
{
    struct fixture *f = *state;
    struct diary d;
    diary_begin(&d, f);
    uint64_t id = submit(f, &script_work);
    assert_diary(&d, ""); /* it is not on disk */
    finish(f, id);
    assert_diary(&d, "1 >PENDING\n1 PENDING>RUNNING\n1 RUNNING>DONE\n");
    watch_tell_removed(&f->tasks.watchers, id, SOMEBODY, "default");
    assert_diary(&d, "1 >removed\n");
    diary_end(&d);
}

static void test_cancelled_in_line(void **state)
{
    struct fixture *f = *state;
    struct diary d;
    diary_begin(&d, f);
    uint64_t first = submit(f, &script_work), second = submit(f, &script_work);
    life_until(f, is_running, first);
    assert_true(cancel(f, second, false));
    life_until(f, is_gone, second);
    assert_diary(&d, "1 >PENDING\n2 >PENDING\n1 PENDING>RUNNING\n2 PENDING>DONE\n");
    finish(f, first);
    assert_diary(&d, "1 RUNNING>DONE\n");
    diary_end(&d);
}

/* Cancelled before it is on disk: it was there all the same. */
static void test_cancelled_at_once(void **state)
{
    struct fixture *f = *state;
    struct diary d;
    diary_begin(&d, f);
    uint64_t id = submit(f, &script_work);
    assert_true(cancel(f, id, false));
    life_until(f, is_gone, id);
    assert_diary(&d, "1 >PENDING\n1 PENDING>DONE\n");
    diary_end(&d);
}

/* Each is told; who comes late hears what happens from then on; nobody, nothing. */
static void test_several(void **state)
{
    struct fixture *f = *state;
    struct diary a, b;
    assert_false(watched(&f->tasks.watchers));
    uint64_t id = submit(f, &script_work);
    life_until(f, is_accepted, id);
    diary_begin(&a, f);
    life_until(f, is_running, id);
    diary_begin(&b, f);
    script_return(find(f, id), notation_value("7"));
    life_until(f, is_gone, id);
    assert_diary(&a, "1 PENDING>RUNNING\n1 RUNNING>DONE\n");
    assert_diary(&b, "1 RUNNING>DONE\n");
    assert_int_equal(a.bodies, 2);
    diary_end(&a);
    assert_true(watched(&f->tasks.watchers));
    diary_end(&b);
    assert_false(watched(&f->tasks.watchers));
    finish(f, submit(f, &script_work));
}

/* One that leaves while it is told. */
static void leaver_told(struct watcher *watcher, struct watch_event *event)
{
    (void)event;
    watch_end(watcher);
}

static void test_leaves_when_told(void **state)
{
    struct fixture *f = *state;
    struct watcher leaver = {.told = NULL};
    struct diary d;
    watch_begin(&f->tasks.watchers, &leaver, leaver_told);
    diary_begin(&d, f);
    finish(f, submit(f, &script_work));
    assert_diary(&d, "1 >PENDING\n1 PENDING>RUNNING\n1 RUNNING>DONE\n");
    assert_true(list_empty(&leaver.node));
    diary_end(&d);
}

/* A stop is no end: nobody is told. */
static void test_stop(void **state)
{
    struct fixture *f = *state;
    struct diary d;
    uint64_t first = submit(f, &script_work), second = submit(f, &script_work);
    life_until(f, is_running, first);
    life_until(f, is_recorded, second);
    diary_begin(&d, f);
    tasks_stop(&f->tasks);
    life_until(f, is_gone, second);
    life_until(f, is_gone, first);
    assert_diary(&d, "");
    diary_end(&d);
}

static void test_group(void **state)
{
    struct fixture *f = *state;
    struct diary d;
    groups_sweep(&f->tasks.groups);
    diary_begin(&d, f);
    groups_command(&f->tasks.groups,
                   &(struct store_group){.name = "x", .slots = 1, .paused = -1});
    groups_sweep(&f->tasks.groups);
    groups_sweep(&f->tasks.groups); /* nothing new */
    assert_diary(&d, "x\n");
    diary_end(&d);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_life),  TEST(test_cancelled_in_line), TEST(test_cancelled_at_once),
        TEST(test_several), TEST(test_leaves_when_told),  TEST(test_stop),
        TEST(test_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
