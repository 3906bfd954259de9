/* SPDX-License-Identifier: MIT */
/*
 * batch - many operations, one transaction, one sync.
 *
 * The happy path: BEGIN, each operation in order, the counts of interned rows and the highest
 * id, COMMIT. An operation that is refused changed nothing and the others go on. How the whole
 * fails, after a rollback:
 *
 *   disk full      the ballast is given up and the batch runs again without its submits
 *                  (-ENOSPC). If even that does not fit, every operation that writes fails
 *                  with -ENOSPC and reads are answered.
 *   no memory      the operation that met it fails with -ENOMEM, the rest run again.
 *   anything else  (an I/O error, damage) is final: all fail with -EIO, now and later. Whether
 *                  the commit reached the disk is unknown, and another sync could claim what is
 *                  not true.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/store/internal.h"

enum batch_scope { BATCH_ALL, BATCH_NO_SUBMITS, BATCH_READS };

static struct store_op *batch_op(struct list *node)
{
    return container_of(node, struct store_op, node);
}

static bool batch_in_scope(const struct store_op *op, enum batch_scope scope)
{
    if (scope == BATCH_READS)
        return op->verb == STORE_GET;
    return scope == BATCH_ALL || op->verb != STORE_SUBMIT;
}

/* Refused by the operation itself, without effect. */
static bool batch_is_refusal(int r)
{
    return r == -ENOENT || r == -EALREADY || r == -EBUSY || r == -EEXIST || r == -EINVAL ||
           r == -E2BIG;
}

/* Runs the operations in scope. 0, or the error that makes the transaction void. */
static int batch_run_ops(struct store *s, struct list *ops, enum batch_scope scope,
                         uint64_t *last_id)
{
    list_for_each (it, ops) {
        struct store_op *op = batch_op(it);
        if (op->refused)
            continue;
        if (!batch_in_scope(op, scope)) {
            op->err = -ENOSPC;
            continue;
        }
        int r = op->err = verb_run(s, op);
        if (r < 0 && !batch_is_refusal(r)) {
            op->refused = r == -ENOMEM;
            return r;
        }
        if (r == 0 && op->verb == STORE_SUBMIT && op->task->id > *last_id)
            *last_id = op->task->id;
    }
    return 0;
}

static int batch_set_last_id(struct store *s, uint64_t id)
{
    if (id == s->last_id)
        return 0;
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_LAST_ID);
    sqlite3_bind_int64(stmt, 1, (int64_t)id);
    return db_run(&s->db, stmt);
}

static void batch_refuse_rest(struct list *ops, int err)
{
    list_for_each (it, ops) {
        if (batch_op(it)->refused)
            continue;
        batch_op(it)->refused = true;
        batch_op(it)->err = err;
    }
}

static int batch_try(struct store *s, struct list *ops, enum batch_scope scope)
{
    uint64_t last_id = s->last_id;
    int r = db_run(&s->db, db_stmt(&s->db, DB_BEGIN));
    if (r == 0) {
        r = batch_run_ops(s, ops, scope, &last_id);
        if (r < 0)
            return r;
        r = intern_flush(&s->intern, &s->db);
    }
    if (r == 0)
        r = batch_set_last_id(s, last_id);
    if (r == 0)
        r = db_run(&s->db, db_stmt(&s->db, DB_COMMIT));
    if (r == -ENOMEM) /* nobody's in particular */
        batch_refuse_rest(ops, r);
    if (r < 0)
        return r;
    intern_committed(&s->intern);
    s->last_id = last_id;
    return 0;
}

static bool batch_all_refused(struct list *ops)
{
    list_for_each (it, ops)
        if (!batch_op(it)->refused)
            return false;
    return true;
}

static void batch_undo(struct store *s, struct list *ops)
{
    if (!sqlite3_get_autocommit(s->db.handle)) /* SQLite may have done it */
        db_run(&s->db, db_stmt(&s->db, DB_ROLLBACK));
    intern_rolled_back(&s->intern);
    list_for_each (it, ops)
        store_rows_free(batch_op(it));
}

void batch_break(struct store *s)
{
    s->broken = true;
}

/* What to try after the disk was found full. Each way to make room works once, so this ends. */
static enum batch_scope batch_shrink(struct store *s, struct list *ops, enum batch_scope scope)
{
    bool released = ballast_release(&s->ballast);
    if (upkeep_rewind(s) || released || scope == BATCH_ALL)
        return scope == BATCH_READS ? BATCH_READS : BATCH_NO_SUBMITS;
    if (scope == BATCH_READS)
        batch_refuse_rest(ops, -ENOSPC);
    return BATCH_READS;
}

static bool batch_submits(struct list *ops)
{
    list_for_each (it, ops)
        if (batch_op(it)->verb == STORE_SUBMIT)
            return true;
    return false;
}

/* SQLite makes the WAL at the first commit and syncs its directory, but ignores it when that
 * fails: then commits that were acknowledged might lie in a file without a name. */
static void batch_sync_directory(struct store *s)
{
    if (s->db.wal_pages == 0)
        return; /* nothing was committed yet */
    s->wal_named = fsync(s->dir_fd) == 0;
    if (!s->wal_named)
        batch_break(s);
}

void batch_run(struct store *s, struct list *ops)
{
    enum batch_scope scope = BATCH_ALL;
    if (batch_submits(ops) && ballast_refuses(&s->ballast, clock_awake()))
        scope = BATCH_NO_SUBMITS;
    while (!s->broken && !batch_all_refused(ops)) {
        int r = batch_try(s, ops, scope);
        if (r == 0)
            break;
        batch_undo(s, ops);
        if (r == -ENOSPC)
            scope = batch_shrink(s, ops, scope);
        else if (r != -ENOMEM)
            batch_break(s);
    }
    if (!s->broken && !s->wal_named)
        batch_sync_directory(s);
    s->wal_dirty = s->db.wal_pages > 0;
    list_for_each (it, ops) {
        struct store_op *op = batch_op(it);
        if (s->broken)
            op->err = -EIO;
        if (op->err < 0)
            store_rows_free(op);
    }
}
