/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * db - the one SQLite connection: how it is set up, its statements, its errors as errnos.
 *
 * Used by one thread at a time.
 */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define DB_ROW_BYTES_MAX                                                                       \
    (4 * 1024 * 1024) /* of one row: args and result with room; else -E2BIG */

enum db_stmt {
    DB_BEGIN,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_LAST_ID,
    DB_SUBMIT,
    DB_ATTEMPT,
    DB_STARTED,
    DB_CANCEL,
    DB_END,
    DB_REMOVE,
    DB_OUTCOME,
    DB_GET,
    DB_INTERN_FIND,
    DB_INTERN_GET,
    DB_INTERN_ADD,
    DB_INTERN_COUNT,
    DB_INTERN_DROP,
    DB_PAGE_ALL, /* one outcome; the next one: any of them */
    DB_PAGE_ALL_ANY,
    DB_PAGE_UID,
    DB_PAGE_UID_ANY,
    DB_PAGE_GROUP,
    DB_PAGE_GROUP_ANY,
    DB_PAGE_NAME,
    DB_PAGE_NAME_ANY,
    DB_STMTS
};

struct db {
    sqlite3 *handle;               /* owned */
    sqlite3_stmt *stmts[DB_STMTS]; /* owned */
    uint32_t wal_pages;            /* in the WAL after the last commit, not yet checkpointed */
    atomic_ullong commits;         /* transactions written; read by any thread */
};

/* Opens the file and sets what must be set before the first read. Reads and writes nothing yet.
 */
int db_open(struct db *, const char *path, struct err *);
int db_prepare(struct db *, struct err *); /* the statements; the schema must be there */
/* Closes without a checkpoint. Safe on a zeroed or half-opened one, and twice. */
void db_close(struct db *);

/* The errno of a result code: -ENOSPC, -EIO, -EUCLEAN (damaged), -ENOMEM, -EEXIST, -EINVAL,
 * -E2BIG … */
int db_errno(const struct db *, int rc);
/* err_set with the errno of rc and SQLite's own words for it behind the text. */
int db_error(const struct db *, int rc, struct err *, const char *what);

sqlite3_stmt *db_stmt(struct db *, enum db_stmt); /* ready to bind */
int db_step(struct db *, sqlite3_stmt *);  /* 1: a row; 0: no more; -errno (then reset) */
int db_run(struct db *, sqlite3_stmt *);   /* to its end, then reset; 0 or -errno */
int db_exec(struct db *, const char *sql); /* 0 or -errno */
int db_integer(struct db *, const char *sql,
               int64_t *ret);             /* the first column of the first row */
int db_checkpoint(struct db *, int mode); /* SQLITE_CHECKPOINT_…; 0 or -errno */
