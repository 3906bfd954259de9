/* SPDX-License-Identifier: MIT */
/*
 * The table of live tasks: order, holes, their closing; and a long random run beside a model
 * that is too simple to be wrong.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "daemon/tasks/table.h"

/* Tasks are never looked into: any address that tells one from another will do. */
static struct task *task_at(uint64_t id)
{
    static char places[8192];
    assert_true(id < sizeof(places));
    return (struct task *)(void *)(places + id);
}

static void add(struct table *t, uint64_t id)
{
    assert_int_equal(table_reserve(t), 0);
    table_add(t, id, task_at(id));
}

static void test_empty(void **state)
{
    struct table t = {0};
    (void)state;
    assert_null(table_find(&t, 0));
    assert_null(table_find(&t, 1));
    assert_null(table_find(&t, UINT64_MAX));
    assert_int_equal(table_lower_bound(&t, 0), 0);
    table_remove(&t, 1);
    assert_int_equal(t.live, 0);
    table_done(&t);
    table_done(&t);
}

static void test_add_and_find(void **state)
{
    static const uint64_t ids[] = {1, 2, 5, 9, 4000};
    struct table t = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        add(&t, ids[i]);
    assert_int_equal(t.live, ARRAY_SIZE(ids));
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        assert_ptr_equal(table_find(&t, ids[i]), task_at(ids[i]));
    assert_null(table_find(&t, 0));
    assert_null(table_find(&t, 3));
    assert_null(table_find(&t, 3999));
    assert_null(table_find(&t, 4001));
    table_done(&t);
}

static void test_lower_bound(void **state)
{
    struct table t = {0};
    (void)state;
    add(&t, 2);
    add(&t, 5);
    add(&t, 9);
    assert_int_equal(table_lower_bound(&t, 0), 0);
    assert_int_equal(table_lower_bound(&t, 2), 0);
    assert_int_equal(table_lower_bound(&t, 3), 1);
    assert_int_equal(table_lower_bound(&t, 5), 1);
    assert_int_equal(table_lower_bound(&t, 6), 2);
    assert_int_equal(table_lower_bound(&t, 9), 2);
    assert_int_equal(table_lower_bound(&t, 10), 3);
    assert_int_equal(table_lower_bound(&t, UINT64_MAX), 3);
    table_done(&t);
}

static void test_highest_id(void **state)
{
    struct table t = {0};
    (void)state;
    assert_int_equal(table_reserve(&t), 0);
    table_add(&t, UINT64_MAX, task_at(1));
    assert_ptr_equal(table_find(&t, UINT64_MAX), task_at(1));
    table_remove(&t, UINT64_MAX);
    assert_null(table_find(&t, UINT64_MAX));
    assert_int_equal(t.live, 0);
    table_done(&t);
}

static void test_remove_leaves_a_hole(void **state)
{
    struct table t = {0};
    (void)state;
    for (uint64_t id = 1; id <= 5; id++)
        add(&t, id);
    table_remove(&t, 3);
    assert_null(table_find(&t, 3));
    assert_int_equal(t.live, 4);
    assert_int_equal(t.len, 5);
    size_t at = table_lower_bound(&t, 3);
    assert_int_equal(t.entries[at].id, 3);
    assert_null(t.entries[at].task);
    assert_ptr_equal(table_find(&t, 4), task_at(4));
    /* neither a hole nor an unknown id is removed again */
    table_remove(&t, 3);
    table_remove(&t, 77);
    assert_int_equal(t.live, 4);
    table_done(&t);
}

static void test_holes_at_the_end_go(void **state)
{
    struct table t = {0};
    (void)state;
    for (uint64_t id = 1; id <= 5; id++)
        add(&t, id);
    table_remove(&t, 4);
    assert_int_equal(t.len, 5);
    table_remove(&t, 5);
    assert_int_equal(t.len, 3);
    assert_int_equal(t.entries[t.len - 1].id, 3);
    add(&t, 6);
    assert_ptr_equal(table_find(&t, 6), task_at(6));
    table_done(&t);
}

/* Half of 200 entries are holes: nothing moves before, everything is dense afterwards. */
static void test_compaction(void **state)
{
    enum { N = 200 };
    struct table t = {0};
    (void)state;
    for (uint64_t id = 1; id <= N; id++)
        add(&t, id);
    for (uint64_t id = 1; id < N / 2; id++)
        table_remove(&t, id);
    assert_int_equal(t.len, N);
    assert_int_equal(t.live, N / 2 + 1);
    table_remove(&t, N / 2);
    assert_int_equal(t.len, N / 2);
    assert_int_equal(t.live, N / 2);
    for (size_t i = 0; i < t.len; i++)
        assert_ptr_equal(t.entries[i].task, task_at(N / 2 + 1 + i));
    assert_null(table_find(&t, N / 2));
    assert_ptr_equal(table_find(&t, N), task_at(N));
    table_done(&t);
}

static void test_few_holes_stay(void **state)
{
    struct table t = {0};
    (void)state;
    for (uint64_t id = 1; id <= 10; id++)
        add(&t, id);
    for (uint64_t id = 1; id <= 9; id++)
        table_remove(&t, id);
    assert_int_equal(t.len, 10); /* not worth a move */
    table_remove(&t, 10);
    assert_int_equal(t.len, 0);
    table_done(&t);
}

static void test_reserve_is_enough(void **state)
{
    struct table t = {0};
    (void)state;
    for (uint64_t id = 1; id <= 1000; id++) {
        assert_int_equal(table_reserve(&t), 0);
        assert_true(t.cap > t.len);
        size_t cap = t.cap;
        assert_int_equal(table_reserve(&t), 0);
        assert_int_equal(t.cap, cap);
        table_add(&t, id, task_at(id));
    }
    table_done(&t);
}

/* ---- beside a model ---- */

enum { MODEL_IDS = 6000, MODEL_OPS = 20000 };

struct model {
    bool live[MODEL_IDS + 1];
    uint64_t last;
    size_t count;
};

static uint64_t model_lower_bound(const struct model *m, uint64_t id)
{
    while (id <= m->last && !m->live[id])
        id++;
    return id <= m->last ? id : 0;
}

/* The id of the first task at or behind the place; 0: none. */
static uint64_t first_task(const struct table *t, size_t place)
{
    while (place < t->len && !t->entries[place].task)
        place++;
    return place < t->len ? t->entries[place].id : 0;
}

static void check(const struct table *t, const struct model *m, uint64_t id)
{
    assert_int_equal(t->live, m->count);
    assert_ptr_equal(table_find(t, id), m->live[id] ? task_at(id) : NULL);
    assert_int_equal(first_task(t, table_lower_bound(t, id)), model_lower_bound(m, id));
    assert_true(t->len <= t->cap);
}

static void check_whole(const struct table *t, const struct model *m)
{
    size_t place = 0;
    for (uint64_t id = 1; id <= m->last; id++) {
        if (!m->live[id])
            continue;
        while (place < t->len && !t->entries[place].task)
            place++;
        assert_true(place < t->len);
        assert_int_equal(t->entries[place].id, id);
        place++;
    }
    assert_int_equal(first_task(t, place), 0);
    assert_true(t->len == 0 || t->entries[t->len - 1].task);
}

static void run_beside_model(unsigned seed, unsigned adds_in_10)
{
    static struct model m;
    struct table t = {0};
    m = (struct model){.last = 0};
    for (int op = 0; op < MODEL_OPS; op++) {
        uint64_t id = m.last ? 1 + (uint64_t)rand_r(&seed) % m.last : 1;
        if (m.last < MODEL_IDS && (unsigned)rand_r(&seed) % 10 < adds_in_10) {
            m.last += 1 + (m.last < MODEL_IDS - 3 ? (uint64_t)rand_r(&seed) % 3 : 0);
            m.live[m.last] = true;
            m.count++;
            add(&t, m.last);
        } else {
            m.count -= m.live[id];
            m.live[id] = false;
            table_remove(&t, id);
        }
        check(&t, &m, id);
    }
    check_whole(&t, &m);
    table_done(&t);
}

static void test_random(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 10; seed++)
        run_beside_model(seed, 2 + seed % 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_add_and_find),
        cmocka_unit_test(test_lower_bound),
        cmocka_unit_test(test_highest_id),
        cmocka_unit_test(test_remove_leaves_a_hole),
        cmocka_unit_test(test_holes_at_the_end_go),
        cmocka_unit_test(test_compaction),
        cmocka_unit_test(test_few_holes_stay),
        cmocka_unit_test(test_reserve_is_enough),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
