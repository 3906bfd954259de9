/* SPDX-License-Identifier: MIT */
/*
 * Groups: who says how many slots one has, which of them stay and which go, and what is told of
 * it. Who gets a slot next: test_line.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/tasks/group.h"
#include "daemon/tasks/watch.h"
#include "tests/support/fake_loop.h"

struct fixture {
    struct fake_loop loop;
    struct groups groups;
    struct watchers watchers;
    struct watcher watcher;
};

/* "NAME SLOTS [paused] FROM" into the trace, or "NAME gone". */
static void told(struct watcher *watcher, struct watch_event *event)
{
    struct fixture *f = container_of(watcher, struct fixture, watcher);
    const struct group *group = event->subject;
    assert_int_equal(event->what, WATCH_GROUP);
    assert_string_equal(event->group, group->name);
    if (event->gone)
        fake_loop_note(&f->loop, "%s gone", group->name);
    else
        fake_loop_note(&f->loop, "%s %u%s %s", group->name, group->limit,
                       group->paused ? " paused" : "", group_from(group));
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.groups.count = 0};
    fake_loop_init(&f.loop);
    watchers_init(&f.watchers);
    groups_init(&f.groups, &f.loop.sched, &f.watchers, 4);
    groups_get(&f.groups, group_default);
    groups_sweep(&f.groups);
    watch_begin(&f.watchers, &f.watcher, told);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    watch_end(&f->watcher);
    groups_done(&f->groups);
    fake_loop_done(&f->loop);
    return 0;
}

static void say(struct fixture *f, const char *name, uint32_t slots, int paused)
{
    const struct store_group said = {.name = name, .slots = slots, .paused = (int8_t)paused};
    assert_non_null(groups_command(&f->groups, &said));
    groups_sweep(&f->groups);
}

/* A configuration of at most one group. */
static void configure(struct fixture *f, const char *name, uint32_t slots)
{
    groups_file_begin(&f->groups);
    if (name)
        assert_non_null(groups_set(&f->groups, name, slots));
    groups_sweep(&f->groups);
}

static void forget(struct fixture *f, const char *name)
{
    group_command_forget(&f->groups, groups_find(&f->groups, name));
    groups_sweep(&f->groups);
}

static struct group *find(struct fixture *f, const char *name)
{
    struct group *group = groups_find(&f->groups, name);
    assert_non_null(group);
    return group;
}

static void test_find(void **state)
{
    struct fixture *f = *state;
    assert_null(groups_find(&f->groups, "convert"));
    struct group *group = groups_set(&f->groups, "convert", 2);
    assert_ptr_equal(groups_find(&f->groups, "convert"), group);
    assert_null(groups_find(&f->groups, "conver"));
    assert_ptr_equal(groups_set(&f->groups, "convert", 5), group); /* the same, changed */
    assert_ptr_equal(groups_get(&f->groups, "convert"), group);
    assert_int_equal(group->limit, 5);
    assert_int_equal(f->groups.count, 2);
    assert_true(group_is_open(group));
}

static void test_default(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(find(f, "default")->limit, 4);
    assert_true(group_is_open(find(f, "default")));
    configure(f, "default", 7);
    assert_trace(&f->loop, "0 default 7 file\n");
    configure(f, NULL, 0);
    assert_trace(&f->loop, "0 default 4 default\n");
    say(f, "default", 2, -1);
    assert_trace(&f->loop, "0 default 2 command\n");
    forget(f, "default");
    assert_trace(&f->loop, "0 default 4 default\n");
}

/* What a command said wins, whatever the file says before and after. */
static void test_command_wins(void **state)
{
    struct fixture *f = *state;
    configure(f, "convert", 2);
    say(f, "convert", 9, -1);
    configure(f, "convert", 3);
    say(f, "convert", 0, 1);
    configure(f, "convert", 5);
    assert_trace(&f->loop,
                 "0 convert 2 file\n0 convert 9 command\n0 convert 9 paused command\n");
    forget(f, "convert"); /* the pause, too */
    assert_trace(&f->loop, "0 convert 5 file\n");
    configure(f, NULL, 0);
    assert_trace(&f->loop, "0 convert gone\n");
    assert_null(groups_find(&f->groups, "convert"));
}

static void test_command_outlives_the_file(void **state)
{
    struct fixture *f = *state;
    configure(f, "convert", 2);
    say(f, "convert", 9, -1);
    configure(f, NULL, 0);
    assert_int_equal(find(f, "convert")->limit, 9);
    assert_true(group_is_open(find(f, "convert")));
    fake_loop_trace(&f->loop);
    forget(f, "convert");
    assert_trace(&f->loop, "0 convert gone\n");
}

/* Its tasks are not lost with its section; with them it goes. */
static void test_out_of_the_file_with_tasks(void **state)
{
    struct fixture *f = *state;
    configure(f, "convert", 2);
    struct group *group = find(f, "convert");
    group->tasks = 1;
    configure(f, NULL, 0);
    assert_int_equal(group->limit, 2);
    assert_false(group_is_open(group)); /* it takes no new ones */
    configure(f, "convert", 3);
    assert_true(group_is_open(group));
    configure(f, NULL, 0);
    assert_int_equal(group->limit, 3);
    assert_trace(&f->loop, "0 convert 2 file\n0 convert 2 task\n0 convert 3 file\n"
                           "0 convert 3 task\n");
    group->tasks = 0;
    group_sweep(&f->groups, group);
    assert_trace(&f->loop, "0 convert gone\n");
}

/* A pause is what somebody said: it stays until it is taken back. */
static void test_paused_out_of_the_file(void **state)
{
    struct fixture *f = *state;
    configure(f, "convert", 2);
    say(f, "convert", 0, 1);
    configure(f, NULL, 0);
    assert_trace(&f->loop,
                 "0 convert 2 file\n0 convert 2 paused file\n0 convert 2 paused task\n");
    configure(f, "convert", 2);
    assert_trace(&f->loop, "0 convert 2 paused file\n");
    configure(f, NULL, 0);
    fake_loop_trace(&f->loop);
    say(f, "convert", 0, 0);
    assert_trace(&f->loop, "0 convert gone\n");
}

/* While its removal is being recorded. */
static void test_leaving(void **state)
{
    struct fixture *f = *state;
    say(f, "x", 1, -1);
    struct group *group = find(f, "x");
    group->leaving = true;
    assert_false(group_is_open(group));
    groups_sweep(&f->groups); /* it is not for others to drop it */
    assert_ptr_equal(find(f, "x"), group);
    forget(f, "x");
    assert_trace(&f->loop, "0 x 1 command\n0 x gone\n");
    assert_int_equal(f->groups.count, 1);
}

/* One that came and went between two looks was never told of. */
static void test_never_told(void **state)
{
    struct fixture *f = *state;
    groups_get(&f->groups, "x");
    groups_sweep(&f->groups);
    assert_trace(&f->loop, "");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_find),
        TEST(test_default),
        TEST(test_command_wins),
        TEST(test_command_outlives_the_file),
        TEST(test_out_of_the_file_with_tasks),
        TEST(test_paused_out_of_the_file),
        TEST(test_leaving),
        TEST(test_never_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
