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

enum { DB_WAL_FRAME_BYTES = 4096 + 24 }; /* a page with its header */

enum db_stmt {
    DB_BEGIN,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_LAST_ID,
    DB_SUBMIT,
    DB_RETRIED,
    DB_ATTEMPT,
    DB_STARTED,
    DB_CANCEL,
    DB_END,
    DB_REMOVE,
    DB_OUTCOME,
    DB_GET,
    DB_GROUP_SET,
    DB_GROUP_FORGET,
    DB_INTERN_FIND,
    DB_INTERN_GET,
    DB_INTERN_ADD,
    DB_INTERN_COUNT,
    DB_INTERN_DROP,
    DB_PAGE_ALL,
    DB_PAGE_UID,
    DB_PAGE_GROUP,
    DB_PAGE_NAME,
    DB_PAGE_SPAN, /* the ids of those that ended in a span of time */
    DB_PAGE_ID,   /* one of them */
    DB_STMTS
};

struct db {
    sqlite3 *handle;               /* owned */
    sqlite3_stmt *stmts[DB_STMTS]; /* owned */
    uint32_t wal_pages;            /* in the WAL after the last commit, not yet checkpointed */
    int64_t wal_bytes;             /* of its file, as far as we made it; 0: not looked at */
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
               int64_t *ret); /* the first column of the first row */
/* Makes sure that the WAL's file has at least so many bytes behind what is in use, as a whole
 * number of steps: a commit then overwrites, and its sync need not write where the file's blocks
 * are. 0; -ENOSPC and others where it could not, and nothing is lost; -EIO: a sync failed. */
int db_extend_wal(struct db *, int64_t ahead, int64_t step);
int db_checkpoint(struct db *, int mode); /* SQLITE_CHECKPOINT_…; 0 or -errno */
