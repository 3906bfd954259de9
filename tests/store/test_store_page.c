/* SPDX-License-Identifier: MIT */
/*
 * test_store_page - pages of finished tasks: every filter, in steps, beside commits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "daemon/store/internal.h"
#include "tests/store/fixture.h"

enum { PAGE_TASKS = 2600 }; /* more than two steps examine */

/* What task id is, so that a test can say what a filter finds. */
static uint32_t page_uid(uint64_t id)
{
    return id % 2 ? 1000 : 1001;
}

static const char *page_group(uint64_t id)
{
    return id <= 5 ? "rare" : "default";
}

static const char *page_name(uint64_t id)
{
    return id % 100 == 0 ? "nightly" : NULL;
}

/* Every seventh is alive still. */
static enum store_outcome page_outcome(uint64_t id)
{
    static const enum store_outcome of[] = {STORE_LIVE, STORE_OK, STORE_OK,       STORE_OK,
                                            STORE_OK,   STORE_OK, STORE_CANCELLED};
    return id == 3 ? STORE_FAILED : of[id % 7];
}

/* Tasks do not end in the order of their ids. */
static uint64_t page_ended(uint64_t id)
{
    return 1 + id * 7919 % 2609;
}

static struct call *page_task(uint64_t id)
{
    struct call *c = calloc(2, sizeof(*c));
    struct store_task *t = calloc(1, sizeof(*t));
    task_fill(t, id);
    t->uid = page_uid(id);
    free(t->group);
    t->group = strdup(page_group(id));
    free(t->name);
    t->name = page_name(id) ? strdup(page_name(id)) : NULL;
    c[0].op = (struct store_op){.verb = STORE_SUBMIT, .task = t};
    c[1].op = (struct store_op){
        .verb = STORE_END,
        .end = {.id = id, .outcome = page_outcome(id), .wall_ns = page_ended(id)}};
    return c;
}

static int page_setup(void **state)
{
    if (fixture_setup(state) < 0)
        return -1;
    struct fixture *f = *state;
    static struct call *calls[PAGE_TASKS + 1];
    for (uint64_t id = 1; id <= PAGE_TASKS; id++) {
        calls[id] = page_task(id);
        call_queue(f, &calls[id][0]);
        if (page_outcome(id) != STORE_LIVE)
            call_queue(f, &calls[id][1]);
    }
    int r = 0;
    for (uint64_t id = 1; id <= PAGE_TASKS; id++) {
        call_await(f, &calls[id][page_outcome(id) != STORE_LIVE]);
        r |= calls[id][0].op.err | calls[id][1].op.err;
        struct store_task *t = (struct store_task *)calls[id][0].op.task;
        store_task_done(t);
        free(t);
        free(calls[id]);
    }
    return r;
}

static bool page_wants(const struct store_filter *f, uint64_t id)
{
    enum store_outcome o = page_outcome(id);
    return id < f->before && o != STORE_LIVE && (!f->outcomes || f->outcomes & 1u << o) &&
           page_ended(id) >= f->since_ns && (!f->until_ns || page_ended(id) < f->until_ns) &&
           (f->uid == UINT32_MAX || f->uid == page_uid(id)) &&
           (!f->group || strcmp(f->group, page_group(id)) == 0) &&
           (!f->name || (page_name(id) && strcmp(f->name, page_name(id)) == 0));
}

/* Runs the filter and compares with what it should find, newest first. */
static void page_check(struct fixture *f, const struct store_filter *filter)
{
    struct call c = {.op = {.verb = STORE_PAGE, .filter = *filter}};
    assert_int_equal(call_run(f, &c), 0);
    uint32_t n = 0;
    uint32_t limit = filter->limit < LIMIT_PAGE_ROWS ? filter->limit : LIMIT_PAGE_ROWS;
    for (uint64_t id = PAGE_TASKS; id > 0 && n < limit; id--) {
        if (!page_wants(filter, id))
            continue;
        assert_true(n < c.op.nrows);
        const struct store_task *t = &c.op.rows[n++];
        assert_true(t->id == id);
        assert_int_equal(t->outcome, page_outcome(id));
        assert_int_equal(t->uid, page_uid(id));
        assert_string_equal(t->group, page_group(id));
        assert_true(t->ended_ns == page_ended(id));
        assert_non_null(t->args);
        assert_null(t->env);
        assert_null(t->creds);
    }
    assert_int_equal(c.op.nrows, n);
    assert_int_equal(c.op.more, n > 0 && n == limit);
    store_rows_free(&c.op);
}

/* Each by its index, from its end: a sort would read all before the first row. */
static void page_assert_plans(const struct fixture *f)
{
    for (int i = DB_PAGE_ALL; i <= DB_PAGE_ID; i++) {
        sqlite3_stmt *stmt = f->store->db.stmts[i];
        assert_true(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_RUN, 0) > 0);
        assert_int_equal(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_SORT, 0), 0);
        assert_int_equal(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0), 0);
        assert_int_equal(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_AUTOINDEX, 0), 0);
    }
}

static void test_every_combination_of_filters(void **state)
{
    struct fixture *f = *state;
    static const uint32_t uids[] = {UINT32_MAX, 1000, 1001, 7};
    static const char *const names[] = {NULL, "nightly", "nobody"};
    static const char *const groups[] = {NULL, "default", "rare", "nothing"};
    static const uint64_t befores[] = {UINT64_MAX, 1300, 1};
    static const uint32_t limits[] = {UINT32_MAX, 10};
    static const uint64_t spans[][2] = {{0, 0}, {2000, 0}, {0, 700}, {700, 2000}, {9000, 0}};
    static const unsigned n[] = {4, 3, 4, 8, 3, 2, ARRAY_SIZE(spans)};
    for (unsigned i = 0; i < 4 * 3 * 4 * 8 * 3 * 2 * ARRAY_SIZE(spans); i++) {
        unsigned at[7], rest = i;
        for (unsigned k = 0; k < 7; rest /= n[k++])
            at[k] = rest % n[k];
        struct store_filter filter = {
            .uid = uids[at[0]],
            .name = names[at[1]],
            .group = groups[at[2]],
            .outcomes = at[3] * 2, /* every set of the three */
            .before = befores[at[4]],
            .limit = limits[at[5]],
            .since_ns = spans[at[6]][0],
            .until_ns = spans[at[6]][1],
        };
        page_check(f, &filter);
    }
    page_assert_plans(f);
}

static void test_a_limit_of_none(void **state)
{
    struct fixture *f = *state;
    page_check(f, &(struct store_filter){.before = UINT64_MAX, .uid = UINT32_MAX});
    page_check(f, &(struct store_filter){.before = 0, .uid = UINT32_MAX, .limit = 5});
}

static void test_pages_follow_each_other(void **state)
{
    struct fixture *f = *state;
    struct call c = {.op = {.verb = STORE_PAGE,
                            .filter = {.before = UINT64_MAX, .uid = UINT32_MAX, .limit = 700}}};
    unsigned total = 0;
    uint64_t last = UINT64_MAX;
    do {
        assert_int_equal(call_run(f, &c), 0);
        for (uint32_t i = 0; i < c.op.nrows; i++) {
            assert_true(c.op.rows[i].id < last);
            last = c.op.rows[i].id;
        }
        total += c.op.nrows;
        c.op.filter.before = last;
        store_rows_free(&c.op);
    } while (c.op.more);
    assert_int_equal(total, PAGE_TASKS - PAGE_TASKS / 7);
}

/* A page that has to look at everything goes on between commits: what is queued behind it is
 * not held up, and what was queued before it is seen. */
static void test_a_long_page_lets_others_pass(void **state)
{
    struct fixture *f = *state;
    struct store_task t;
    task_fill(&t, 9999);
    struct call plug = {.op = {.verb = STORE_GET, .id = 99999}};
    struct call end = {.op = {.verb = STORE_END, .end = {.id = 7, .outcome = STORE_FAILED}}};
    struct call submit = {.op = {.verb = STORE_SUBMIT, .task = &t}};
    struct call late = {.op = {.verb = STORE_GET, .id = 9999}};
    struct call page = {.op = {.verb = STORE_PAGE,
                               .filter = {.before = UINT64_MAX,
                                          .uid = 1000,
                                          .group = "default",
                                          .outcomes = 1u << STORE_FAILED,
                                          .limit = 10}}};
    struct call slow = page;
    slow.op.filter.uid = 7;
    slow.op.filter.outcomes = 0;
    fixture_gate_close(f);
    call_queue(f, &plug);
    fixture_gate_await(f);
    call_queue(f, &end);
    call_queue(f, &slow);
    call_queue(f, &page);
    call_queue(f, &submit);
    call_queue(f, &late);
    fixture_gate_open(f);
    call_await(f, &slow);
    call_await(f, &page);
    call_await(f, &late);
    assert_true(submit.order < slow.order && late.order < slow.order);
    assert_int_equal(late.op.err, 0);
    assert_int_equal(slow.op.nrows, 0);
    assert_int_equal(page.op.nrows, 1);
    assert_true(page.op.rows[0].id == 7);
    store_rows_free(&page.op);
    store_rows_free(&late.op);
    store_task_done(&t);
}

static void test_large_rows_come_in_portions(void **state)
{
    struct fixture *f = *state;
    char *bytes = calloc(1, 1024 * 1024);
    struct value *large = value_new(bytes, 1024 * 1024);
    free(bytes);
    for (uint64_t id = 1; id <= 10; id++) {
        assert_int_equal(task_submit(f, id), 0);
        struct call end = {
            .op = {.verb = STORE_END,
                   .end = {.id = id, .outcome = STORE_OK, .result = large, .usage = large}}};
        assert_int_equal(call_run(f, &end), 0);
    }
    struct call c = {.op = {.verb = STORE_PAGE,
                            .filter = {.before = UINT64_MAX, .uid = UINT32_MAX, .limit = 100}}};
    unsigned total = 0, pages = 0;
    do {
        assert_int_equal(call_run(f, &c), 0);
        assert_true(c.op.nrows <= 3 && (c.op.nrows > 0 || !c.op.more));
        for (uint32_t i = 0; i < c.op.nrows; i++)
            assert_true(c.op.rows[i].id == 10 - total++);
        if (c.op.nrows > 0)
            c.op.filter.before = c.op.rows[c.op.nrows - 1].id;
        store_rows_free(&c.op);
        pages++;
    } while (c.op.more);
    assert_int_equal(total, 10);
    assert_true(pages >= 5);
    value_unref(large);
}

/* More than a page gathers: n finished tasks, each of which ended at its id, but for the newest
 * three, which ended at the beginning. */
static void page_fill(struct fixture *f, unsigned n)
{
    fixture_close(f);
    char sql[512];
    snprintf(
        sql, sizeof(sql),
        "WITH RECURSIVE ids (id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM ids LIMIT %u) "
        "INSERT INTO task (id, uid, gid, outcome, grp, function, title, submitted_ns, due_ns,"
        " due_clock, due_wall_ns, client_pid, ended_ns, args) "
        "SELECT id, 1000, 0, 1, 'default', 'exec', '', 1, 0, 0, 0, 0,"
        " iif(id > %u, %u - id + 1, id + 3), x'' FROM ids RETURNING id",
        n, n - 3, n);
    assert_int_equal(fixture_integer(f, sql), 1);
    assert_int_equal(fixture_open(f), 0);
}

static void page_assert_span(struct fixture *f, const struct store_filter *filter,
                             const uint64_t *ids, unsigned n, bool more)
{
    struct call c = {.op = {.verb = STORE_PAGE, .filter = *filter}};
    assert_int_equal(call_run(f, &c), 0);
    assert_int_equal(c.op.nrows, n);
    assert_int_equal(c.op.more, more);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(c.op.rows[i].id, ids[i]);
    store_rows_free(&c.op);
}

static void test_spans_short_and_long(void **state)
{
    enum { N = 12000, GATHERED = 10000 };
    struct fixture *f = *state;
    page_fill(f, N);
    struct store_filter filter = {.before = UINT64_MAX, .uid = UINT32_MAX, .limit = 3};
    sqlite3_stmt *one = f->store->db.stmts[DB_PAGE_ID];
    /* few: the newest by id, though they ended first */
    filter.until_ns = 5;
    page_assert_span(f, &filter, (uint64_t[]){N, N - 1, N - 2}, 3, true);
    filter.before = N - 2;
    page_assert_span(f, &filter, (uint64_t[]){1}, 1, false);
    /* exactly as many as are gathered */
    filter = (struct store_filter){.before = 2000, .uid = UINT32_MAX, .limit = 2};
    filter.since_ns = 10;
    filter.until_ns = filter.since_ns + GATHERED;
    sqlite3_stmt_status(one, SQLITE_STMTSTATUS_RUN, 1);
    page_assert_span(f, &filter, (uint64_t[]){1999, 1998}, 2, true);
    assert_true(sqlite3_stmt_status(one, SQLITE_STMTSTATUS_RUN, 1) > 0);
    /* one more: by id */
    filter.until_ns++;
    page_assert_span(f, &filter, (uint64_t[]){1999, 1998}, 2, true);
    assert_int_equal(sqlite3_stmt_status(one, SQLITE_STMTSTATUS_RUN, 1), 0);
    filter.before = 8;
    page_assert_span(f, &filter, (uint64_t[]){7}, 1, false);
}

static void test_close_finishes_pages(void **state)
{
    struct fixture *f = *state;
    struct call c = {
        .op = {.verb = STORE_PAGE,
               .filter = {.before = UINT64_MAX, .uid = 7, .group = "default", .limit = 10}}};
    call_queue(f, &c);
    fixture_close(f);
    assert_true(c.order > 0);
    assert_int_equal(c.op.err, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, page_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_combination_of_filters),
        TEST(test_a_limit_of_none),
        TEST(test_pages_follow_each_other),
        TEST(test_a_long_page_lets_others_pass),
        cmocka_unit_test_setup_teardown(test_large_rows_come_in_portions, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_spans_short_and_long, fixture_setup,
                                        fixture_teardown),
        TEST(test_close_finishes_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
