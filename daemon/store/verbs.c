/* SPDX-License-Identifier: MIT */
/*
 * verbs - what each operation does inside the transaction of its batch.
 *
 * A refusal (no such task, id taken, …) is found by the one statement that would change
 * something, so it leaves nothing behind and the batch goes on. All others are the batch's to
 * handle.
 */
#include <errno.h>
#include <stdio.h>

#include "daemon/store/internal.h"
#include "daemon/store/row.h"

/* The outcome of a task, -ENOENT, or another -errno. */
static int verb_outcome(struct store *s, uint64_t id)
{
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_OUTCOME);
    sqlite3_bind_int64(stmt, 1, (int64_t)id);
    int r = db_step(&s->db, stmt);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    int outcome = sqlite3_column_int(stmt, 0);
    sqlite3_reset(stmt);
    return outcome;
}

static int verb_mark_retried(struct store *s, uint64_t id, uint64_t retried_as)
{
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_RETRIED);
    sqlite3_bind_int64(stmt, 1, (int64_t)id);
    sqlite3_bind_int64(stmt, 2, (int64_t)retried_as);
    return db_run(&s->db, stmt);
}

static int verb_submit(struct store *s, struct store_op *op)
{
    const struct store_task *t = op->task;
    if (t->id == 0 || t->id > INT64_MAX)
        return -EINVAL;
    struct intern_entry *env, *creds;
    int r = t->retry_of ? verb_outcome(s, t->retry_of) : STORE_OK;
    if (r <= STORE_LIVE)
        return r < 0 ? r : -EBUSY;
    r = intern_find(&s->intern, &s->db, INTERN_ENV, t->uid, t->env, &env);
    if (r == 0)
        r = intern_find(&s->intern, &s->db, INTERN_CREDS, t->uid, t->creds, &creds);
    if (r < 0)
        return r;
    struct row_refs refs = {env ? env->id : 0, creds ? creds->id : 0};
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_SUBMIT);
    int rc = row_bind_submit(stmt, t, refs);
    r = rc == SQLITE_OK ? db_run(&s->db, stmt) : db_errno(&s->db, rc);
    if (r < 0)
        return r;
    intern_hold(env);
    intern_hold(creds);
    return t->retry_of ? verb_mark_retried(s, t->retry_of, t->id) : 0;
}

/* Why a statement for a live task, or for a finished one, changed nothing. */
static int verb_refusal(struct store *s, uint64_t id, int live, int finished)
{
    int outcome = verb_outcome(s, id);
    if (outcome < 0)
        return outcome;
    return outcome == STORE_LIVE ? live : finished;
}

/* Runs an update of one live task. */
static int verb_update(struct store *s, sqlite3_stmt *stmt, uint64_t id)
{
    int r = db_run(&s->db, stmt);
    if (r < 0 || sqlite3_changes(s->db.handle) > 0)
        return r;
    return verb_refusal(s, id, -EALREADY, -EALREADY);
}

static int verb_read(struct store *s, struct store_op *op, uint64_t id)
{
    struct store_task *row = row_add(op);
    if (!row)
        return -ENOMEM;
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_GET);
    sqlite3_bind_int64(stmt, 1, (int64_t)id);
    int r = db_step(&s->db, stmt);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    struct row_refs refs;
    r = row_read(stmt, row, &refs);
    sqlite3_reset(stmt);
    if (r < 0)
        return r;
    op->nrows = 1;
    r = intern_read(&s->intern, &s->db, refs.env, &row->env);
    return r < 0 ? r : intern_read(&s->intern, &s->db, refs.creds, &row->creds);
}

static int verb_attempt(struct store *s, struct store_op *op)
{
    const struct store_attempt *a = &op->attempt;
    _Static_assert((int)STORE_TOKEN_BYTES == (int)STORE_UUID_BYTES, "one binder for both");
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_ATTEMPT);
    sqlite3_bind_int64(stmt, 1, (int64_t)a->id);
    sqlite3_bind_int64(stmt, 2, a->attempt);
    row_bind_uuid(stmt, 3, a->token);
    row_bind_uuid(stmt, 4, a->boot);
    row_bind_uuid(stmt, 5, a->spawner);
    sqlite3_bind_int64(stmt, 6, (int64_t)a->wall_ns);
    sqlite3_bind_int64(stmt, 7, (int64_t)a->boot_ns);
    int r = verb_update(s, stmt, a->id);
    return r < 0 ? r : verb_read(s, op, a->id);
}

static int verb_started(struct store *s, struct store_op *op)
{
    const struct store_started *st = &op->started;
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_STARTED);
    sqlite3_bind_int64(stmt, 1, (int64_t)st->id);
    sqlite3_bind_int64(stmt, 2, st->attempt);
    sqlite3_bind_int64(stmt, 3, st->pid);
    sqlite3_bind_int64(stmt, 4, (int64_t)st->start_ticks);
    sqlite3_bind_int64(stmt, 5, (int64_t)st->wall_ns);
    return verb_update(s, stmt, st->id);
}

static int verb_cancel(struct store *s, struct store_op *op)
{
    const struct store_cancel *c = &op->cancel;
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_CANCEL);
    sqlite3_bind_int64(stmt, 1, (int64_t)c->id);
    sqlite3_bind_int64(stmt, 2, (int64_t)c->wall_ns);
    sqlite3_bind_int64(stmt, 3, c->uid);
    sqlite3_bind_int64(stmt, 4, c->kill);
    return verb_update(s, stmt, c->id);
}

static int verb_end(struct store *s, struct store_op *op)
{
    const struct store_end *e = &op->end;
    if (e->outcome <= STORE_LIVE || e->outcome > STORE_CANCELLED)
        return -EINVAL;
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_END);
    sqlite3_bind_int64(stmt, 1, (int64_t)e->id);
    sqlite3_bind_int64(stmt, 2, e->outcome);
    sqlite3_bind_int64(stmt, 3, (int64_t)e->wall_ns);
    int rc = row_bind_value(stmt, 4, e->result);
    if (rc == SQLITE_OK)
        rc = row_bind_value(stmt, 5, e->usage);
    return rc == SQLITE_OK ? verb_update(s, stmt, e->id) : db_errno(&s->db, rc);
}

static int verb_remove(struct store *s, struct store_op *op)
{
    struct store_remove *removed = &op->remove;
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_REMOVE);
    sqlite3_bind_int64(stmt, 1, (int64_t)op->id);
    if (removed->only_uid == UINT32_MAX)
        sqlite3_bind_null(stmt, 2);
    else
        sqlite3_bind_int64(stmt, 2, removed->only_uid);
    int r = db_step(&s->db, stmt);
    if (r == 0)
        return verb_refusal(s, op->id, -EBUSY, -ENOENT);
    if (r < 0)
        return r;
    int64_t env = sqlite3_column_int64(stmt, 0);
    int64_t creds = sqlite3_column_int64(stmt, 1);
    removed->uid = (uint32_t)sqlite3_column_int64(stmt, 2);
    removed->attempts = (uint32_t)sqlite3_column_int64(stmt, 3);
    removed->outcome = (enum store_outcome)sqlite3_column_int(stmt, 4);
    const char *group = (const char *)sqlite3_column_text(stmt, 5);
    snprintf(removed->group, sizeof(removed->group), "%s", group ? group : "");
    r = db_run(&s->db, stmt);
    if (r == 0)
        r = intern_release(&s->intern, &s->db, env);
    return r < 0 ? r : intern_release(&s->intern, &s->db, creds);
}

static int verb_group(struct store *s, struct store_op *op)
{
    const struct store_group *g = &op->group;
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_GROUP_SET);
    sqlite3_clear_bindings(stmt);
    int rc = sqlite3_bind_text(stmt, 1, g->name, -1, SQLITE_STATIC);
    if (rc != SQLITE_OK)
        return db_errno(&s->db, rc);
    if (g->slots)
        sqlite3_bind_int64(stmt, 2, g->slots);
    if (g->paused >= 0)
        sqlite3_bind_int(stmt, 3, g->paused);
    return db_run(&s->db, stmt);
}

static int verb_group_forget(struct store *s, struct store_op *op)
{
    sqlite3_stmt *stmt = db_stmt(&s->db, DB_GROUP_FORGET);
    int rc = sqlite3_bind_text(stmt, 1, op->group.name, -1, SQLITE_STATIC);
    int r = rc == SQLITE_OK ? db_run(&s->db, stmt) : db_errno(&s->db, rc);
    return r < 0 || sqlite3_changes(s->db.handle) > 0 ? r : -ENOENT;
}

int verb_run(struct store *s, struct store_op *op)
{
    switch (op->verb) {
    case STORE_SUBMIT:
        return verb_submit(s, op);
    case STORE_ATTEMPT:
        return verb_attempt(s, op);
    case STORE_STARTED:
        return verb_started(s, op);
    case STORE_CANCEL:
        return verb_cancel(s, op);
    case STORE_END:
        return verb_end(s, op);
    case STORE_REMOVE:
        return verb_remove(s, op);
    case STORE_GROUP:
        return verb_group(s, op);
    case STORE_GROUP_FORGET:
        return verb_group_forget(s, op);
    case STORE_GET:
        return verb_read(s, op, op->id);
    case STORE_PAGE:
        break; /* apart from batches: page.c */
    }
    return -EINVAL;
}
