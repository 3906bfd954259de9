/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * row - a row of the table `task` and its struct store_task.
 */
#include <sqlite3.h>
#include <stdint.h>

#include "daemon/store/store.h"

/* In the order in which row_read takes them; args, or NULL in its place, follows. */
#define ROW_COLUMNS                                                                            \
    "id, uid, gid, submitted_ns, due_ns, due_clock, due_wall_ns, client_pid, attempt, "        \
    "attempt_ns, attempt_boot_ns, pid, start_ticks, started_ns, cancel_ns, cancel_uid, "       \
    "cancel_kill, outcome, "                                                                   \
    "ended_ns, boot_id, token, attempt_boot, attempt_spawner, function, grp, name, title, "    \
    "result, usage, env, creds, retry_of, retried_as"
/* What a submit writes, in the order in which row_bind_submit binds it. */
#define ROW_SUBMIT_COLUMNS                                                                     \
    "id, uid, gid, submitted_ns, due_ns, due_clock, due_wall_ns, client_pid, boot_id, "        \
    "function, grp, name, title, args, env, creds, retry_of"
#define ROW_SUBMIT_VALUES "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

/* The interned parts of a row; 0: none. */
struct row_refs {
    int64_t env;
    int64_t creds;
};

/* Fills *ret from a statement that gave a row of ROW_COLUMNS and args; env and creds are left
 * NULL. 0 or -ENOMEM, then *ret is empty. */
int row_read(sqlite3_stmt *, struct store_task *ret, struct row_refs *ret_refs);
/* The memory behind it, roughly: what a page is bounded by. */
uint64_t row_bytes(const struct store_task *);

/* Binds what it points to without a copy: run the statement before the task goes. 0 or an
 * SQLite code. */
int row_bind_submit(sqlite3_stmt *, const struct store_task *, struct row_refs);
int row_bind_value(sqlite3_stmt *, int place, const struct value *); /* NULL: NULL */
int row_bind_uuid(sqlite3_stmt *, int place,
                  const uint8_t id[STORE_UUID_BYTES]); /* zero: NULL */

/* Makes room for one more of op->rows and gives it back, zeroed, not yet counted; NULL without
 * memory. */
struct store_task *row_add(struct store_op *);
