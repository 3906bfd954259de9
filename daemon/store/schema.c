/* SPDX-License-Identifier: MIT */
/*
 * schema - the tables, their version, and the way from an older one to this.
 *
 * One table holds live and finished tasks: an end changes a row in place. A partial index has
 * the live ones, so that a start reads them alone; five have the finished ones, for what
 * `aioctl` filters by. Four of them end in the outcome and, as all of SQLite's, in the id: a
 * page is read from its end. The fifth has them in the order in which they ended.
 *
 * What a newer version adds stands behind the blobs of a row, but a zero there is told by the
 * row's head: a large row's overflow pages are followed for tasks that were retried alone.
 *
 * env and creds name rows of `intern` without REFERENCES: to check these, each removal there
 * would need an index here. Their count is kept in `refs` by the same transactions.
 */
#include "daemon/store/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/defs.h"

#define SCHEMA_APPLICATION_ID 0x61696f64 /* "aiod" */

/* schema_steps[n] leads from version n to n + 1. Never change one that was released. The blobs
 * are the last columns: what is in front of them is read without following a large row's
 * overflow pages. */
static const char *const schema_steps[] = {
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE intern (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " hash INTEGER NOT NULL, refs INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;"
    "CREATE INDEX intern_hash ON intern (hash);"
    "CREATE TABLE task (id INTEGER PRIMARY KEY, uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL DEFAULT 0, grp TEXT NOT NULL, name TEXT,"
    " function TEXT NOT NULL, title TEXT NOT NULL, submitted_ns INTEGER NOT NULL,"
    " due_ns INTEGER NOT NULL, due_clock INTEGER NOT NULL, due_wall_ns INTEGER NOT NULL,"
    " boot_id BLOB, client_pid INTEGER NOT NULL, env INTEGER, creds INTEGER,"
    " attempt INTEGER NOT NULL DEFAULT 0, token BLOB, attempt_boot BLOB, attempt_spawner BLOB,"
    " attempt_ns INTEGER NOT NULL DEFAULT 0,"
    " attempt_boot_ns INTEGER NOT NULL DEFAULT 0, pid INTEGER NOT NULL DEFAULT 0,"
    " start_ticks INTEGER NOT NULL DEFAULT 0, started_ns INTEGER NOT NULL DEFAULT 0,"
    " cancel_ns INTEGER NOT NULL DEFAULT 0, cancel_uid INTEGER NOT NULL DEFAULT 0,"
    " cancel_kill INTEGER NOT NULL DEFAULT 0, ended_ns INTEGER NOT NULL DEFAULT 0,"
    " usage BLOB, result BLOB, args BLOB NOT NULL) STRICT;"
    "CREATE INDEX task_live ON task (outcome) WHERE outcome = 0;"
    "CREATE INDEX task_done ON task (outcome) WHERE outcome <> 0;"
    "CREATE INDEX task_uid ON task (uid, outcome) WHERE outcome <> 0;"
    "CREATE INDEX task_group ON task (grp, outcome) WHERE outcome <> 0;"
    "CREATE INDEX task_name ON task (name, outcome) WHERE outcome <> 0 AND name IS NOT NULL;",

    "ALTER TABLE task ADD COLUMN retry_of INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN retried_as INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX task_ended ON task (ended_ns) WHERE outcome <> 0;"
    /* what commands have set; NULL: nothing */
    "CREATE TABLE group_setting (name TEXT PRIMARY KEY, slots INTEGER, paused INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;",
};
enum { SCHEMA_VERSION = (int)ARRAY_SIZE(schema_steps) };

int schema_damaged(struct err *err, const char *path, const char *what)
{
    return err_set(
        err, -EUCLEAN,
        "%s is damaged (%.80s): restore a backup, or move its directory away to begin "
        "anew; nothing was changed",
        path, what);
}

/* An error of SQLite's while it reads: damage gets its own sentence. */
static int schema_unreadable(struct db *db, int r, const char *path, struct err *err)
{
    if (r == -EUCLEAN)
        return schema_damaged(err, path, sqlite3_errmsg(db->handle));
    return err_set(err, r, "cannot read %s: %s", path, sqlite3_errmsg(db->handle));
}

int schema_inspect(struct db *db, const char *path, int *ret_version, struct err *err)
{
    int64_t id, version, tables;
    int r = db_integer(db, "PRAGMA application_id", &id);
    if (r == 0)
        r = db_integer(db, "PRAGMA user_version", &version);
    if (r == 0)
        r = db_integer(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (r < 0)
        return schema_unreadable(db, r, path, err);
    if (id == 0 && version == 0 && tables == 0) {
        *ret_version = 0;
        return 0;
    }
    if (id != SCHEMA_APPLICATION_ID || version < 1)
        return err_set(err, -EUCLEAN, "%s is a database of another program: move it away",
                       path);
    if (version > SCHEMA_VERSION)
        return err_set(err, -ENOTSUP,
                       "%s was written by a newer aiod (schema %d, this one knows up to %d): "
                       "start that one",
                       path, (int)version, SCHEMA_VERSION);
    *ret_version = (int)version;
    return 0;
}

int schema_check(struct db *db, const char *path, struct err *err)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return schema_unreadable(db, db_errno(db, rc), path, err);
    rc = sqlite3_step(stmt);
    int r = 0;
    if (rc != SQLITE_ROW) {
        r = schema_unreadable(db, rc == SQLITE_DONE ? -EUCLEAN : db_errno(db, rc), path, err);
    } else {
        const char *found = (const char *)sqlite3_column_text(stmt, 0);
        if (!found || strcmp(found, "ok") != 0)
            r = schema_damaged(err, path, found ? found : "no memory to check it");
    }
    sqlite3_finalize(stmt);
    return r;
}

static int schema_insert_meta(struct db *db, const uint8_t uuid[SCHEMA_UUID_BYTES])
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db->handle,
                                "INSERT INTO meta VALUES ('instance', ?1), ('last_id', 0)", -1,
                                &stmt, NULL);
    if (rc != SQLITE_OK)
        return db_errno(db, rc);
    rc = sqlite3_bind_blob(stmt, 1, uuid, SCHEMA_UUID_BYTES, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return db_errno(db, rc);
}

static int schema_apply(struct db *db, int version, const uint8_t uuid[SCHEMA_UUID_BYTES])
{
    char numbers[96];
    snprintf(numbers, sizeof(numbers), "PRAGMA application_id = %d; PRAGMA user_version = %d",
             SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
    int r = db_exec(db, "BEGIN IMMEDIATE");
    for (int v = version; v < SCHEMA_VERSION && r == 0; v++)
        r = db_exec(db, schema_steps[v]);
    if (r == 0 && version == 0)
        r = schema_insert_meta(db, uuid);
    if (r == 0)
        r = db_exec(db, numbers);
    return r == 0 ? db_exec(db, "COMMIT") : r;
}

int schema_upgrade(struct db *db, int version, const uint8_t uuid[SCHEMA_UUID_BYTES],
                   struct err *err)
{
    int r = 0;
    if (version == 0) /* both only take effect on an empty file, before all else */
        r = db_exec(db, "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL");
    if (r == 0) /* also where a backup came without it */
        r = db_exec(db, "PRAGMA journal_mode = WAL");
    if (r == 0 && version < SCHEMA_VERSION)
        r = schema_apply(db, version, uuid);
    if (r == 0)
        return 0;
    err_set(err, r, "cannot prepare the tables: %s", sqlite3_errmsg(db->handle));
    if (!sqlite3_get_autocommit(db->handle))
        db_exec(db, "ROLLBACK");
    return r;
}

int schema_meta(struct db *db, const char *path, uint8_t ret_uuid[SCHEMA_UUID_BYTES],
                uint64_t *ret_last_id, struct err *err)
{
    int64_t kept, highest;
    int r = db_integer(db, "SELECT value FROM meta WHERE key = 'last_id'", &kept);
    if (r == 0)
        r = db_integer(db, "SELECT coalesce(max(id), 0) FROM task", &highest);
    if (r < 0)
        return schema_unreadable(db, r, path, err);
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db->handle, "SELECT value FROM meta WHERE key = 'instance'", -1,
                                &stmt, NULL);
    if (rc != SQLITE_OK)
        return schema_unreadable(db, db_errno(db, rc), path, err);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) == SCHEMA_UUID_BYTES)
        memcpy(ret_uuid, sqlite3_column_blob(stmt, 0), SCHEMA_UUID_BYTES);
    else
        r = schema_damaged(err, path, "it has no instance");
    sqlite3_finalize(stmt);
    *ret_last_id = (uint64_t)(kept > highest ? kept : highest);
    return r;
}
