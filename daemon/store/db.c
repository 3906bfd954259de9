/* SPDX-License-Identifier: MIT */
/*
 * db - the one SQLite connection.
 *
 * locking_mode=EXCLUSIVE is set before the first access to the WAL: its index then is in our
 * memory and nobody else can open the file. The checkpoint that sqlite3_close would make stays
 * off: a damaged database must not be touched, and after a failed sync there must be no other
 * one.
 */
#include "daemon/store/db.h"

#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "daemon/store/row.h"

/* The columns that a page's filter needs; the rows that pass it are then read by id. */
#define DB_PAGE_COLUMNS "SELECT id, uid, grp, name, outcome, ended_ns FROM task "
/* A partial index is only used where its own condition is repeated. */
#define DB_PART(index, where, outcome)                                                         \
    DB_PAGE_COLUMNS "INDEXED BY " index " WHERE " where "outcome <> 0 AND outcome = " outcome  \
                    " AND id < ?3"
/* A merge of a sorted range for each outcome (0: an empty one), read as far as needed: no
 * sorting. */
#define DB_PAGE(index, where)                                                                  \
    DB_PART(index, where, "?5")                                                                \
    " UNION ALL " DB_PART(index, where, "?6") " UNION ALL " DB_PART(                           \
        index, where, "?7") " ORDER BY id DESC LIMIT ?4"

static const char *const db_sql[DB_STMTS] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_LAST_ID] = "UPDATE meta SET value = ?1 WHERE key = 'last_id'",
    [DB_SUBMIT] = "INSERT INTO task (" ROW_SUBMIT_COLUMNS ") VALUES (" ROW_SUBMIT_VALUES ")",
    [DB_ATTEMPT] = "UPDATE task SET attempt = ?2, token = ?3, attempt_boot = ?4, "
                   "attempt_spawner = ?5, attempt_ns = ?6, attempt_boot_ns = ?7, pid = 0, "
                   "start_ticks = 0, started_ns = 0 WHERE id = ?1 AND outcome = 0",
    [DB_STARTED] = "UPDATE task SET pid = ?3, start_ticks = ?4, started_ns = ?5 "
                   "WHERE id = ?1 AND attempt = ?2 AND outcome = 0",
    [DB_CANCEL] = "UPDATE task SET cancel_ns = ?2, cancel_uid = ?3, cancel_kill = ?4 "
                  "WHERE id = ?1 AND outcome = 0",
    [DB_END] = "UPDATE task SET outcome = ?2, ended_ns = ?3, result = ?4, usage = ?5 "
               "WHERE id = ?1 AND outcome = 0",
    [DB_RETRIED] = "UPDATE task SET retried_as = ?2 WHERE id = ?1",
    [DB_REMOVE] = "DELETE FROM task WHERE id = ?1 AND outcome <> 0 AND uid = coalesce(?2, uid) "
                  "RETURNING env, creds, uid, attempt, outcome, grp",
    [DB_OUTCOME] = "SELECT outcome FROM task WHERE id = ?1",
    [DB_GET] = "SELECT " ROW_COLUMNS ", args FROM task WHERE id = ?1",
    [DB_GROUP_SET] = "INSERT INTO group_setting VALUES (?1, ?2, coalesce(?3, 0)) "
                     "ON CONFLICT (name) DO UPDATE SET slots = coalesce(?2, slots), "
                     "paused = coalesce(?3, paused)",
    [DB_GROUP_FORGET] = "DELETE FROM group_setting WHERE name = ?1",
    [DB_INTERN_FIND] = "SELECT id, kind, uid, bytes FROM intern WHERE hash = ?1",
    [DB_INTERN_GET] = "SELECT bytes FROM intern WHERE id = ?1",
    [DB_INTERN_ADD] = "INSERT INTO intern (kind, uid, hash, refs, bytes) "
                      "VALUES (?1, ?2, ?3, 0, ?4)",
    [DB_INTERN_COUNT] = "UPDATE intern SET refs = refs + ?2 WHERE id = ?1",
    [DB_INTERN_DROP] = "DELETE FROM intern WHERE id = ?1 AND refs <= 0",
    [DB_PAGE_ALL] = DB_PAGE("task_done", ""),
    [DB_PAGE_UID] = DB_PAGE("task_uid", "uid = ?1 AND "),
    [DB_PAGE_GROUP] = DB_PAGE("task_group", "grp = ?1 AND "),
    [DB_PAGE_NAME] = DB_PAGE("task_name", "name = ?1 AND "),
    [DB_PAGE_SPAN] = "SELECT ended_ns, id FROM task INDEXED BY task_ended WHERE outcome <> 0 "
                     "AND (ended_ns, id) > (?1, ?2) AND ended_ns < ?3 "
                     "ORDER BY ended_ns, id LIMIT ?4",
    [DB_PAGE_ID] = DB_PAGE_COLUMNS "WHERE id = ?1 AND outcome <> 0",
};

/* Called by SQLite after each commit that wrote something. */
static int db_committed(void *arg, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    struct db *db = arg;
    db->wal_pages = (uint32_t)pages;
    atomic_fetch_add_explicit(&db->commits, 1, memory_order_relaxed);
    return SQLITE_OK;
}

static int db_configure(struct db *db)
{
    static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
                                  "PRAGMA synchronous = FULL;"
                                  "PRAGMA wal_autocheckpoint = 0;"
                                  "PRAGMA foreign_keys = ON;"
                                  "PRAGMA cell_size_check = ON;"
                                  "PRAGMA trusted_schema = OFF;"
                                  "PRAGMA mmap_size = 0;"
                                  "PRAGMA secure_delete = FAST;";
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, DB_ROW_BYTES_MAX);
    char limit[64];
    snprintf(limit, sizeof(limit), "PRAGMA journal_size_limit = %u", 4 * LIMIT_WAL_BYTES);
    int r = db_exec(db, pragmas);
    if (r == 0)
        r = db_exec(db, limit);
    sqlite3_wal_hook(db->handle, db_committed,
                     db); /* behind wal_autocheckpoint, which unsets it */
    return r;
}

int db_open(struct db *db, const char *path, struct err *err)
{
    int rc = sqlite3_open_v2(
        path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        NULL);
    if (rc != SQLITE_OK)
        return db_error(db, rc, err, path);
    if (db_configure(db) < 0)
        return db_error(db, sqlite3_extended_errcode(db->handle), err, path);
    return 0;
}

int db_prepare(struct db *db, struct err *err)
{
    for (int i = 0; i < DB_STMTS; i++) {
        int rc = sqlite3_prepare_v3(db->handle, db_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &db->stmts[i], NULL);
        if (rc != SQLITE_OK)
            return db_error(db, rc, err, "cannot prepare a statement");
    }
    return 0;
}

void db_close(struct db *db)
{
    for (int i = 0; i < DB_STMTS; i++) {
        sqlite3_finalize(db->stmts[i]);
        db->stmts[i] = NULL;
    }
    sqlite3_close(db->handle);
    db->handle = NULL;
}

static int db_errno_io(const struct db *db, int rc)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return -ENOMEM;
    /* SQLite knows ENOSPC as a full disk, but not a quota. */
    if (rc == SQLITE_IOERR_WRITE && sqlite3_system_errno(db->handle) == EDQUOT)
        return -ENOSPC;
    return -EIO;
}

int db_errno(const struct db *db, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_IOERR:
        return db_errno_io(db, rc);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CONSTRAINT:
        return rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_ROWID ? -EEXIST
                                                                                   : -EINVAL;
    case SQLITE_TOOBIG:
        return -E2BIG;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    default:
        return -EIO; /* a defect of ours: the outcome is as unknown */
    }
}

int db_error(const struct db *db, int rc, struct err *err, const char *what)
{
    int code = db->handle ? db_errno(db, rc) : -ENOMEM;
    return err_set(err, code, "%s: %s", what,
                   db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc));
}

sqlite3_stmt *db_stmt(struct db *db, enum db_stmt which)
{
    sqlite3_reset(db->stmts[which]);
    return db->stmts[which];
}

int db_step(struct db *db, sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 1;
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? 0 : db_errno(db, rc);
}

int db_run(struct db *db, sqlite3_stmt *stmt)
{
    int r;
    do
        r = db_step(db, stmt);
    while (r > 0);
    return r;
}

int db_exec(struct db *db, const char *sql)
{
    return db_errno(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

int db_integer(struct db *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return db_errno(db, rc);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    else if (rc == SQLITE_DONE)
        rc = SQLITE_CORRUPT; /* what we ask for always has a row */
    sqlite3_finalize(stmt);
    return db_errno(db, rc);
}

static int db_write_zeros(sqlite3_file *file, int64_t from, int64_t bytes)
{
    static const uint8_t zeros[64 * 1024];
    for (int64_t at = 0; at < bytes; at += (int64_t)sizeof(zeros)) {
        int rc = file->pMethods->xWrite(file, zeros, (int)sizeof(zeros), from + at);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

/* Zeros behind the last frame are no frame: a recovery stops there, as at what an older round
 * of the WAL has left. */
int db_extend_wal(struct db *db, int64_t ahead, int64_t step)
{
    sqlite3_file *wal = NULL;
    int64_t used = (int64_t)db->wal_pages * DB_WAL_FRAME_BYTES + DB_WAL_FRAME_BYTES;
    if (used + ahead <= db->wal_bytes)
        return 0;
    int rc = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc != SQLITE_OK || !wal || !wal->pMethods)
        return 0;
    sqlite3_int64 size;
    rc = wal->pMethods->xFileSize(wal, &size);
    if (rc != SQLITE_OK)
        return 0;
    int64_t want = (used + ahead + step - 1) / step * step;
    if (size < want) {
        rc = db_write_zeros(wal, size, want - size);
        if (rc != SQLITE_OK)
            return 0; /* nothing is in there yet; a commit meets the error if it lasts */
        rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
        if (rc != SQLITE_OK)
            return -EIO;
    }
    db->wal_bytes = size < want ? want : size;
    return 0;
}

int db_checkpoint(struct db *db, int mode)
{
    int total = 0, done = 0;
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, &total, &done);
    if (rc == SQLITE_OK && total == done)
        db->wal_pages = 0;
    return db_errno(db, rc);
}
