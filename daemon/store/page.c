/* SPDX-License-Identifier: MIT */
/*
 * page - finished tasks by a filter, newest first, in steps that never hold up commits.
 *
 * The rarest of the given conditions picks the index (a name, else a group, else a uid),
 * together with the outcome; the others are looked at row by row. A step examines
 * LIMIT_PAGE_ROWS rows in all; a page that needs more goes to the end of the line and on from
 * `page_from` after the next batch. Between two steps of a page rows may be removed; finished
 * ones never change but for retried_as.
 *
 * Pages go by id, a span of time by the index of ends; the two orders differ. So the ids of a
 * short span are gathered and sorted first, and then looked at from the newest on. A span of
 * more than PAGE_SPAN_ROWS rows is so large a part of all that a walk by id finds enough of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "daemon/store/internal.h"
#include "daemon/store/row.h"

enum { PAGE_SPAN_ROWS = 10000 };

enum page_span_state { SPAN_GATHER, SPAN_WALK, SPAN_TOO_LONG };

struct page_span {
    enum page_span_state state;
    int64_t at_ns; /* the row that was gathered last */
    int64_t at_id;
    uint32_t rows; /* gathered so far, also those that are not kept */
    uint32_t n;    /* ids kept */
    uint32_t at;   /* the next one to look at */
    uint64_t ids[PAGE_SPAN_ROWS];
};

enum page_verdict { PAGE_MORE, PAGE_FINISHED };

static uint32_t page_limit(const struct store_op *op)
{
    return op->filter.limit < LIMIT_PAGE_ROWS ? op->filter.limit : LIMIT_PAGE_ROWS;
}

static void page_bind_outcomes(sqlite3_stmt *stmt, uint32_t outcomes)
{
    int place = 5;
    for (int o = STORE_OK; o <= STORE_CANCELLED; o++)
        sqlite3_bind_int(stmt, place++, !outcomes || outcomes & 1u << o ? o : STORE_LIVE);
}

static sqlite3_stmt *page_scan(struct store *s, const struct store_op *op, uint32_t rows)
{
    const struct store_filter *f = &op->filter;
    enum db_stmt which = f->name                ? DB_PAGE_NAME
                         : f->group             ? DB_PAGE_GROUP
                         : f->uid != UINT32_MAX ? DB_PAGE_UID
                                                : DB_PAGE_ALL;
    sqlite3_stmt *stmt = db_stmt(&s->db, which);
    sqlite3_clear_bindings(stmt);
    if (f->name || f->group)
        sqlite3_bind_text(stmt, 1, f->name ? f->name : f->group, -1, SQLITE_STATIC);
    else if (which == DB_PAGE_UID)
        sqlite3_bind_int64(stmt, 1, f->uid);
    sqlite3_bind_int64(stmt, 3, (int64_t)op->page_from);
    sqlite3_bind_int64(stmt, 4, rows);
    page_bind_outcomes(stmt, f->outcomes);
    return stmt;
}

static bool page_text_is(sqlite3_stmt *stmt, int place, const char *wanted)
{
    const char *text = (const char *)sqlite3_column_text(stmt, place);
    return !wanted || (text && strcmp(text, wanted) == 0);
}

static bool page_matches(sqlite3_stmt *scan, const struct store_filter *f)
{
    uint64_t ended = (uint64_t)sqlite3_column_int64(scan, 5);
    return (f->uid == UINT32_MAX || (uint32_t)sqlite3_column_int64(scan, 1) == f->uid) &&
           (!f->outcomes || f->outcomes & 1u << sqlite3_column_int(scan, 4)) &&
           ended >= f->since_ns && (!f->until_ns || ended < f->until_ns) &&
           page_text_is(scan, 2, f->group) && page_text_is(scan, 3, f->name);
}

static int page_take(struct store *s, struct store_op *op, uint64_t id)
{
    struct store_task *row = row_add(op);
    if (!row)
        return -ENOMEM;
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_GET);
    sqlite3_bind_int64(stmt, 1, (int64_t)id);
    int r = db_step(&s->db, stmt);
    if (r <= 0)
        return r < 0 ? r : -EUCLEAN; /* an index names a row that is not there */
    r = row_read(stmt, row, NULL);
    sqlite3_reset(stmt);
    if (r < 0)
        return r;
    op->nrows++;
    op->page_bytes += row_bytes(row);
    return 0;
}

static bool page_full(const struct store_op *op)
{
    return op->nrows >= page_limit(op) || op->page_bytes >= STORE_PAGE_BYTES;
}

/* ---- by id ---- */

/* One step of one page, *budget rows at most. A verdict or -errno. */
static int page_go_on_by_id(struct store *s, struct store_op *op, uint32_t *budget)
{
    sqlite3_stmt *scan = page_scan(s, op, *budget);
    int r = 0;
    while (*budget > 0 && (r = db_step(&s->db, scan)) > 0) {
        --*budget;
        op->page_from = (uint64_t)sqlite3_column_int64(scan, 0);
        r = page_matches(scan, &op->filter) ? page_take(s, op, op->page_from) : 0;
        if (r < 0)
            break;
        if (page_full(op)) {
            op->more = true;
            break;
        }
    }
    bool ended = r == 0 && *budget > 0;
    sqlite3_reset(scan);
    if (r < 0)
        return r;
    return op->more || ended ? PAGE_FINISHED : PAGE_MORE;
}

/* ---- by a span of time ---- */

static bool page_has_span(const struct store_filter *f)
{
    return (f->since_ns || f->until_ns) && !f->name; /* a name is rarer */
}

static int page_span_begin(struct store_op *op)
{
    op->page_span = malloc(sizeof(*op->page_span));
    if (!op->page_span)
        return -ENOMEM;
    *op->page_span =
        (struct page_span){.at_ns = (int64_t)op->filter.since_ns - 1, .at_id = INT64_MAX};
    return 0;
}

static int page_span_newer(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

static int page_span_gather(struct store *s, struct store_op *op, uint32_t *budget)
{
    struct page_span *span = op->page_span;
    uint64_t until = op->filter.until_ns;
    sqlite3_stmt *scan = db_stmt(&s->db, DB_PAGE_SPAN);
    sqlite3_bind_int64(scan, 1, span->at_ns);
    sqlite3_bind_int64(scan, 2, span->at_id);
    sqlite3_bind_int64(scan, 3, until && until < INT64_MAX ? (int64_t)until : INT64_MAX);
    sqlite3_bind_int64(scan, 4, *budget);
    int r = 0;
    while (*budget > 0 && (r = db_step(&s->db, scan)) > 0) {
        if (span->rows == PAGE_SPAN_ROWS)
            break;
        --*budget;
        span->rows++;
        span->at_ns = sqlite3_column_int64(scan, 0);
        span->at_id = sqlite3_column_int64(scan, 1);
        if ((uint64_t)span->at_id < op->page_from)
            span->ids[span->n++] = (uint64_t)span->at_id;
    }
    sqlite3_reset(scan);
    if (r > 0 && span->rows == PAGE_SPAN_ROWS && *budget > 0) {
        span->state = SPAN_TOO_LONG;
    } else if (r == 0 && *budget > 0) {
        span->state = SPAN_WALK;
        qsort(span->ids, span->n, sizeof(span->ids[0]), page_span_newer);
    }
    return r < 0 ? r : 0;
}

/* 1: it is there still, and matches; 0; -errno. */
static int page_span_look(struct store *s, const struct store_op *op, uint64_t id)
{
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_PAGE_ID);
    sqlite3_bind_int64(stmt, 1, (int64_t)id);
    int r = db_step(&s->db, stmt);
    if (r > 0)
        r = page_matches(stmt, &op->filter);
    sqlite3_reset(stmt);
    return r;
}

static int page_span_walk(struct store *s, struct store_op *op, uint32_t *budget)
{
    struct page_span *span = op->page_span;
    for (; *budget > 0 && span->at < span->n && !op->more; span->at++) {
        --*budget;
        int r = page_span_look(s, op, span->ids[span->at]);
        if (r > 0)
            r = page_take(s, op, span->ids[span->at]);
        if (r < 0)
            return r;
        op->more = page_full(op);
    }
    return op->more || span->at == span->n ? PAGE_FINISHED : PAGE_MORE;
}

/* ---- all of them ---- */

static int page_go_on(struct store *s, struct store_op *op, uint32_t *budget)
{
    if (page_full(op)) /* of no rows */
        return PAGE_FINISHED;
    if (!page_has_span(&op->filter))
        return page_go_on_by_id(s, op, budget);
    int r = op->page_span ? 0 : page_span_begin(op);
    if (r == 0 && op->page_span->state == SPAN_GATHER)
        r = page_span_gather(s, op, budget);
    if (r < 0 || *budget == 0)
        return r < 0 ? r : PAGE_MORE;
    return op->page_span->state == SPAN_WALK ? page_span_walk(s, op, budget)
                                             : page_go_on_by_id(s, op, budget);
}

static void page_fail(struct store *s, struct store_op *op, int r)
{
    store_rows_free(op);
    if (r != -ENOMEM) {
        batch_break(s);
        r = -EIO;
    }
    op->err = r;
}

void page_step(struct store *s, struct list *done)
{
    uint32_t budget = LIMIT_PAGE_ROWS;
    while (budget > 0 && !list_empty(&s->pages)) {
        struct list *node = list_pop_front(&s->pages);
        struct store_op *op = container_of(node, struct store_op, node);
        if (op->page_from == 0) /* not begun */
            op->page_from = op->filter.before < INT64_MAX ? op->filter.before : INT64_MAX;
        int r = s->broken ? -EIO : page_go_on(s, op, &budget);
        if (r < 0)
            page_fail(s, op, r);
        if (r != PAGE_MORE) {
            free(op->page_span);
            op->page_span = NULL;
        }
        list_push_back(r == PAGE_MORE ? &s->pages : done, node);
    }
}
