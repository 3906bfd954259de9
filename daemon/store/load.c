/* SPDX-License-Identifier: MIT */
/*
 * load - what a start reads: the live tasks, how many are finished, what was said of groups.
 *
 * All run on the thread that opened the store, before anything is queued: the store thread
 * does not touch the connection until then.
 */
#include <errno.h>

#include "daemon/store/internal.h"
#include "daemon/store/row.h"
#include "daemon/store/schema.h"

static int load_error(struct store *s, int r, struct err *err)
{
    const char *why = sqlite3_errmsg(s->db.handle);
    if (r == -EUCLEAN)
        return schema_damaged(err, s->path, why);
    return err_set(err, r, "cannot read %s: %s", s->path, why);
}

static int load_prepare(struct store *s, const char *sql, sqlite3_stmt **ret, struct err *err)
{
    int rc = sqlite3_prepare_v2(s->db.handle, sql, -1, ret, NULL);
    return rc == SQLITE_OK ? 0 : load_error(s, db_errno(&s->db, rc), err);
}

/* Gives the row of a statement to fn; what fn leaves of it is freed. */
static int load_task(sqlite3_stmt *stmt, int (*fn)(void *ctx, struct store_task *), void *ctx)
{
    struct store_task t;
    int r = row_read(stmt, &t, NULL);
    if (r < 0)
        return r;
    r = fn(ctx, &t);
    store_task_done(&t);
    return r < 0 ? r : 0;
}

int store_load_live(struct store *s, int (*fn)(void *ctx, struct store_task *), void *ctx,
                    struct err *err)
{
    sqlite3_stmt *stmt;
    int r = load_prepare(s,
                         "SELECT " ROW_COLUMNS ", NULL FROM task INDEXED BY task_live "
                         "WHERE outcome = 0 ORDER BY id",
                         &stmt, err);
    if (r < 0)
        return r;
    while ((r = db_step(&s->db, stmt)) > 0) {
        uint64_t id = (uint64_t)sqlite3_column_int64(stmt, 0);
        r = load_task(stmt, fn, ctx);
        if (r < 0) {
            sqlite3_finalize(stmt);
            return err_errno(err, r, "cannot load task %llu", (unsigned long long)id);
        }
    }
    if (r < 0)
        load_error(s, r, err);
    sqlite3_finalize(stmt);
    return r;
}

static void load_count(struct store_counts *c, enum store_outcome outcome, uint64_t n)
{
    if (outcome == STORE_OK)
        c->ok = n;
    else if (outcome == STORE_FAILED)
        c->failed = n;
    else
        c->cancelled = n;
}

/* The rows come by uid, then outcome: each uid is given when the next one begins. */
static int load_counts(struct store *s, sqlite3_stmt *stmt,
                       int (*fn)(void *ctx, uint32_t uid, const struct store_counts *),
                       void *ctx, struct err *err)
{
    struct store_counts c = {0};
    uint32_t uid = 0;
    bool any = false;
    int r;
    while ((r = db_step(&s->db, stmt)) > 0) {
        uint32_t next = (uint32_t)sqlite3_column_int64(stmt, 0);
        if (any && next != uid) {
            r = fn(ctx, uid, &c);
            if (r < 0)
                return err_errno(err, r, "cannot count the tasks of uid %u", uid);
            c = (struct store_counts){0};
        }
        uid = next;
        any = true;
        load_count(&c, (enum store_outcome)sqlite3_column_int(stmt, 1),
                   (uint64_t)sqlite3_column_int64(stmt, 2));
    }
    if (r < 0)
        return load_error(s, r, err);
    r = any ? fn(ctx, uid, &c) : 0;
    return r < 0 ? err_errno(err, r, "cannot count the tasks of uid %u", uid) : 0;
}

int store_load_counts(struct store *s,
                      int (*fn)(void *ctx, uint32_t uid, const struct store_counts *),
                      void *ctx, struct err *err)
{
    sqlite3_stmt *stmt;
    int r = load_prepare(s,
                         "SELECT uid, outcome, count(*) FROM task INDEXED BY task_uid "
                         "WHERE outcome <> 0 GROUP BY uid, outcome",
                         &stmt, err);
    if (r < 0)
        return r;
    r = load_counts(s, stmt, fn, ctx, err);
    sqlite3_finalize(stmt);
    return r;
}

static int load_groups(struct store *s, sqlite3_stmt *stmt,
                       int (*fn)(void *ctx, const struct store_group *), void *ctx,
                       struct err *err)
{
    int r;
    while ((r = db_step(&s->db, stmt)) > 0) {
        const struct store_group group = {
            .name = (const char *)sqlite3_column_text(stmt, 0),
            .slots = (uint32_t)sqlite3_column_int64(stmt, 1),
            .paused = sqlite3_column_int(stmt, 2) != 0,
        };
        r = group.name ? fn(ctx, &group) : -ENOMEM;
        if (r < 0)
            return err_errno(err, r, "cannot load a group");
    }
    return r < 0 ? load_error(s, r, err) : 0;
}

int store_load_groups(struct store *s, int (*fn)(void *ctx, const struct store_group *),
                      void *ctx, struct err *err)
{
    sqlite3_stmt *stmt;
    int r = load_prepare(s, "SELECT name, slots, paused FROM group_setting ORDER BY name",
                         &stmt, err);
    if (r < 0)
        return r;
    r = load_groups(s, stmt, fn, ctx, err);
    sqlite3_finalize(stmt);
    return r;
}
