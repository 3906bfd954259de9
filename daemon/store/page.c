/* SPDX-License-Identifier: MIT */
/*
 * page - finished tasks by a filter, newest first, in steps that never hold up commits.
 *
 * The rarest of the given conditions picks the index (a name, else a group, else a uid),
 * together with the outcome; the others are looked at row by row. A step examines
 * LIMIT_PAGE_ROWS rows in all; a page that needs more goes to the end of the line and on from
 * `page_from` after the next batch. Between two steps of a page rows may be removed; finished
 * ones never change.
 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "daemon/store/internal.h"
#include "daemon/store/row.h"

enum page_verdict { PAGE_MORE, PAGE_FINISHED };

static uint32_t page_limit(const struct store_op *op)
{
    return op->filter.limit < LIMIT_PAGE_ROWS ? op->filter.limit : LIMIT_PAGE_ROWS;
}

static sqlite3_stmt *page_scan(struct store *s, const struct store_op *op, uint32_t rows)
{
    const struct store_filter *f = &op->filter;
    enum db_stmt base = f->name                ? DB_PAGE_NAME
                        : f->group             ? DB_PAGE_GROUP
                        : f->uid != UINT32_MAX ? DB_PAGE_UID
                                               : DB_PAGE_ALL;
    sqlite3_stmt *stmt = db_stmt(&s->db, f->outcome == STORE_LIVE ? base + 1 : base);
    sqlite3_clear_bindings(stmt);
    if (f->name || f->group)
        sqlite3_bind_text(stmt, 1, f->name ? f->name : f->group, -1, SQLITE_STATIC);
    else if (base == DB_PAGE_UID)
        sqlite3_bind_int64(stmt, 1, f->uid);
    if (f->outcome != STORE_LIVE)
        sqlite3_bind_int64(stmt, 2, f->outcome);
    sqlite3_bind_int64(stmt, 3, (int64_t)op->page_from);
    sqlite3_bind_int64(stmt, 4, rows);
    return stmt;
}

static bool page_text_is(sqlite3_stmt *stmt, int place, const char *wanted)
{
    const char *text = (const char *)sqlite3_column_text(stmt, place);
    return !wanted || (text && strcmp(text, wanted) == 0);
}

static bool page_matches(sqlite3_stmt *scan, const struct store_filter *f)
{
    return (f->uid == UINT32_MAX || (uint32_t)sqlite3_column_int64(scan, 1) == f->uid) &&
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

/* One step of one page, *budget rows at most. A verdict or -errno. */
static int page_go_on(struct store *s, struct store_op *op, uint32_t *budget)
{
    if (page_full(op)) /* of no rows */
        return PAGE_FINISHED;
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
        list_push_back(r == PAGE_MORE ? &s->pages : done, node);
    }
}
