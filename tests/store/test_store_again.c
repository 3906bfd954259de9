/* SPDX-License-Identifier: MIT */
/*
 * test_store_again - tasks that repeat others, whose removal is whose, what is said of groups.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store/fixture.h"

/* ---- retries ---- */

static int retry(struct fixture *f, uint64_t id, uint64_t of)
{
    struct store_task t;
    task_fill(&t, id);
    t.retry_of = of;
    struct call c = {.op = {.verb = STORE_SUBMIT, .task = &t}};
    int r = call_run(f, &c);
    store_task_done(&t);
    return r;
}

static void assert_related(struct fixture *f, uint64_t id, uint64_t retry_of,
                           uint64_t retried_as)
{
    struct call get = {.op = {.verb = STORE_GET, .id = id}};
    assert_int_equal(call_run(f, &get), 0);
    assert_int_equal(get.op.rows[0].retry_of, retry_of);
    assert_int_equal(get.op.rows[0].retried_as, retried_as);
    assert_non_null(get.op.rows[0].args);
    assert_non_null(get.op.rows[0].creds);
    store_rows_free(&get.op);
}

static int load_related(void *ctx, struct store_task *t)
{
    uint64_t *retry_of = ctx;
    retry_of[t->id] = t->retry_of;
    return 0;
}

static void test_retry_marks_both(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 1), 0);
    assert_int_equal(task_end(f, 1, STORE_FAILED), 0);
    assert_related(f, 1, 0, 0);
    uint64_t before = store_commits(f->store);
    assert_int_equal(retry(f, 2, 1), 0);
    assert_true(store_commits(f->store) == before + 1); /* both at once */
    assert_related(f, 1, 0, 2);
    assert_related(f, 2, 1, 0);
    assert_int_equal(retry(f, 3, 1), 0); /* the newest one is kept */
    assert_int_equal(task_end(f, 2, STORE_OK), 0);
    assert_int_equal(retry(f, 4, 2), 0);
    fixture_close(f);
    assert_int_equal(fixture_open(f), 0);
    uint64_t retry_of[5] = {0};
    assert_int_equal(store_load_live(f->store, load_related, retry_of, &f->err), 0);
    assert_int_equal(retry_of[3], 1);
    assert_int_equal(retry_of[4], 2);
    assert_related(f, 1, 0, 3);
    assert_related(f, 2, 1, 4);
}

static void test_retry_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(task_submit(f, 1), 0);
    assert_int_equal(retry(f, 2, 1), -EBUSY);
    assert_int_equal(retry(f, 2, 9), -ENOENT);
    assert_int_equal(task_end(f, 1, STORE_OK), 0);
    assert_int_equal(task_remove(f, 1), 0);
    assert_int_equal(retry(f, 2, 1), -ENOENT);
    struct call get = {.op = {.verb = STORE_GET, .id = 2}};
    assert_int_equal(call_run(f, &get), -ENOENT);
    fixture_close(f); /* nothing was left behind */
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM intern"), 0);
    assert_int_equal(fixture_integer(f, "SELECT count(*) FROM task"), 0);
    assert_int_equal(fixture_open(f), 0);
}

/* A submit that is refused after all marks nothing. */
static void test_retry_whose_id_is_taken(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 2; id++)
        assert_int_equal(task_submit(f, id), 0);
    assert_int_equal(task_end(f, 1, STORE_OK), 0);
    assert_int_equal(retry(f, 2, 1), -EEXIST);
    assert_related(f, 1, 0, 0);
}

/* ---- removing ---- */

static int remove_as(struct fixture *f, uint64_t id, uint32_t uid, struct store_remove *ret)
{
    struct call c = {.op = {.verb = STORE_REMOVE, .id = id, .remove = {.only_uid = uid}}};
    int r = call_run(f, &c);
    *ret = c.op.remove;
    return r;
}

static void test_remove_as_a_user(void **state)
{
    struct fixture *f = *state;
    struct store_remove removed;
    for (uint64_t id = 1; id <= 2; id++) {
        assert_int_equal(task_submit(f, id), 0); /* of uid 1000 */
        assert_int_equal(remove_as(f, id, 1000, &removed), -EBUSY);
        assert_int_equal(task_end(f, id, STORE_CANCELLED), 0);
    }
    assert_int_equal(remove_as(f, 1, 1001, &removed), -ENOENT);
    assert_int_equal(remove_as(f, 1, 0, &removed), -ENOENT);
    assert_int_equal(remove_as(f, 3, 1000, &removed), -ENOENT);
    assert_int_equal(remove_as(f, 1, 1000, &removed), 0);
    assert_int_equal(removed.uid, 1000);
    assert_int_equal(removed.attempts, 0);
    assert_int_equal(removed.outcome, STORE_CANCELLED);
    assert_string_equal(removed.group, "default");
    assert_int_equal(remove_as(f, 1, 1000, &removed), -ENOENT);
    assert_int_equal(remove_as(f, 2, UINT32_MAX, &removed), 0);
}

/* ---- groups ---- */

static int say(struct fixture *f, const char *name, uint32_t slots, int paused)
{
    struct call c = {.op = {.verb = STORE_GROUP,
                            .group = {.name = name, .slots = slots, .paused = (int8_t)paused}}};
    return call_run(f, &c);
}

static int forget(struct fixture *f, const char *name)
{
    struct call c = {.op = {.verb = STORE_GROUP_FORGET, .group = {.name = name}}};
    return call_run(f, &c);
}

static int load_group(void *ctx, const struct store_group *g)
{
    char *text = ctx;
    size_t len = strlen(text);
    if (strcmp(g->name, "bad") == 0)
        return -EINVAL;
    snprintf(text + len, 256 - len, "%s %u %d, ", g->name, g->slots, g->paused);
    return 0;
}

static void assert_groups(struct fixture *f, const char *wanted)
{
    char text[256] = "";
    fixture_close(f);
    assert_int_equal(fixture_open(f), 0);
    assert_int_equal(store_load_groups(f->store, load_group, text, &f->err), 0);
    assert_string_equal(text, wanted);
}

static void test_groups(void **state)
{
    struct fixture *f = *state;
    assert_groups(f, "");
    assert_int_equal(say(f, "b", 3, -1), 0);
    assert_int_equal(say(f, "a", 0, 1), 0); /* a pause alone */
    assert_groups(f, "a 0 1, b 3 0, ");
    assert_int_equal(say(f, "b", 0, 1), 0);        /* the slots stay */
    assert_int_equal(say(f, "a", 1000000, -1), 0); /* the pause stays */
    assert_groups(f, "a 1000000 1, b 3 1, ");
    assert_int_equal(say(f, "b", 5, 0), 0);
    assert_int_equal(forget(f, "a"), 0);
    assert_int_equal(forget(f, "a"), -ENOENT);
    assert_groups(f, "b 5 0, ");
}

static void test_groups_that_cannot_be_loaded(void **state)
{
    struct fixture *f = *state;
    char text[256] = "";
    assert_int_equal(say(f, "bad", 1, -1), 0);
    fixture_close(f);
    assert_int_equal(fixture_open(f), 0);
    assert_int_equal(store_load_groups(f->store, load_group, text, &f->err), -EINVAL);
    assert_non_null(strstr(f->err.msg, "cannot load a group"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_retry_marks_both),
        TEST(test_retry_is_refused),
        TEST(test_retry_whose_id_is_taken),
        TEST(test_remove_as_a_user),
        TEST(test_groups),
        TEST(test_groups_that_cannot_be_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
