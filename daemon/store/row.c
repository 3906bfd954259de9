/* SPDX-License-Identifier: MIT */
/*
 * row - a row of the table `task` and its struct store_task.
 *
 * Unsigned 64-bit numbers go through SQLite's signed ones bit by bit, so every value comes back
 * as it was. Sixteen zero bytes are kept as NULL, which takes no room.
 */
#include "daemon/store/row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_FIRST_ROOM = 8 };

static uint64_t row_u64(sqlite3_stmt *stmt, int *place)
{
    return (uint64_t)sqlite3_column_int64(stmt, (*place)++);
}

static uint32_t row_u32(sqlite3_stmt *stmt, int *place)
{
    return (uint32_t)sqlite3_column_int64(stmt, (*place)++);
}

static void row_uuid(sqlite3_stmt *stmt, int *place, uint8_t ret[STORE_UUID_BYTES])
{
    const void *bytes = sqlite3_column_blob(stmt, *place);
    if (bytes && sqlite3_column_bytes(stmt, *place) == STORE_UUID_BYTES)
        memcpy(ret, bytes, STORE_UUID_BYTES);
    (*place)++;
}

static int row_text(sqlite3_stmt *stmt, int *place, char **ret)
{
    int at = (*place)++;
    if (sqlite3_column_type(stmt, at) == SQLITE_NULL)
        return 0;
    const unsigned char *text = sqlite3_column_text(stmt, at);
    if (text)
        *ret = strdup((const char *)text);
    return *ret ? 0 : -ENOMEM;
}

static int row_value(sqlite3_stmt *stmt, int *place, struct value **ret)
{
    int at = (*place)++;
    if (sqlite3_column_type(stmt, at) == SQLITE_NULL)
        return 0;
    const void *bytes = sqlite3_column_blob(stmt, at); /* NULL also for an empty one */
    *ret = value_new(bytes, bytes ? (size_t)sqlite3_column_bytes(stmt, at) : 0);
    return *ret ? 0 : -ENOMEM;
}

static void row_read_numbers(sqlite3_stmt *stmt, int *place, struct store_task *t)
{
    t->id = row_u64(stmt, place);
    t->uid = row_u32(stmt, place);
    t->gid = row_u32(stmt, place);
    t->submitted_ns = row_u64(stmt, place);
    t->due_ns = row_u64(stmt, place);
    t->due_clock = (uint8_t)row_u32(stmt, place);
    t->due_wall_ns = row_u64(stmt, place);
    t->client_pid = row_u32(stmt, place);
    t->attempt = row_u32(stmt, place);
    t->attempt_ns = row_u64(stmt, place);
    t->attempt_boot_ns = row_u64(stmt, place);
    t->pid = row_u32(stmt, place);
    t->start_ticks = row_u64(stmt, place);
    t->started_ns = row_u64(stmt, place);
    t->cancel_ns = row_u64(stmt, place);
    t->cancel_uid = row_u32(stmt, place);
    t->cancel_kill = (uint8_t)row_u32(stmt, place);
    t->outcome = (enum store_outcome)row_u32(stmt, place);
    t->ended_ns = row_u64(stmt, place);
    row_uuid(stmt, place, t->boot_id);
    row_uuid(stmt, place, t->token);
    row_uuid(stmt, place, t->attempt_boot);
    row_uuid(stmt, place, t->attempt_spawner);
}

int row_read(sqlite3_stmt *stmt, struct store_task *ret, struct row_refs *ret_refs)
{
    struct store_task t = {0};
    int place = 0;
    row_read_numbers(stmt, &place, &t);
    int r = row_text(stmt, &place, &t.function);
    r |= row_text(stmt, &place, &t.group);
    r |= row_text(stmt, &place, &t.name);
    r |= row_text(stmt, &place, &t.title);
    r |= row_value(stmt, &place, &t.result);
    r |= row_value(stmt, &place, &t.usage);
    struct row_refs refs = {.env = sqlite3_column_int64(stmt, place),
                            .creds = sqlite3_column_int64(stmt, place + 1)};
    place += 2;
    t.retry_of = row_u64(stmt, &place);
    t.retried_as = row_u64(stmt, &place);
    r |= row_value(stmt, &place, &t.args);
    if (r < 0) {
        store_task_done(&t);
        return -ENOMEM;
    }
    *ret = t;
    if (ret_refs)
        *ret_refs = refs;
    return 0;
}

static uint64_t row_value_bytes(const struct value *v)
{
    return v ? sizeof(*v) + v->len : 0;
}

uint64_t row_bytes(const struct store_task *t)
{
    return sizeof(*t) + row_value_bytes(t->args) + row_value_bytes(t->result) +
           row_value_bytes(t->usage);
}

int row_bind_value(sqlite3_stmt *stmt, int place, const struct value *v)
{
    if (!v)
        return sqlite3_bind_null(stmt, place);
    return sqlite3_bind_blob64(stmt, place, v->bytes, v->len, SQLITE_STATIC);
}

int row_bind_uuid(sqlite3_stmt *stmt, int place, const uint8_t id[STORE_UUID_BYTES])
{
    static const uint8_t zero[STORE_UUID_BYTES];
    if (memcmp(id, zero, sizeof(zero)) == 0)
        return sqlite3_bind_null(stmt, place);
    return sqlite3_bind_blob(stmt, place, id, STORE_UUID_BYTES, SQLITE_STATIC);
}

static int row_bind_ref(sqlite3_stmt *stmt, int place, int64_t ref)
{
    return ref ? sqlite3_bind_int64(stmt, place, ref) : sqlite3_bind_null(stmt, place);
}

int row_bind_submit(sqlite3_stmt *stmt, const struct store_task *t, struct row_refs refs)
{
    const uint64_t numbers[] = {t->id,     t->uid,       t->gid,         t->submitted_ns,
                                t->due_ns, t->due_clock, t->due_wall_ns, t->client_pid};
    const char *const texts[] = {t->function, t->group, t->name, t->title};
    int place = 1;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < ARRAY_SIZE(numbers) && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_int64(stmt, place++, (int64_t)numbers[i]);
    if (rc == SQLITE_OK)
        rc = row_bind_uuid(stmt, place++, t->boot_id);
    for (size_t i = 0; i < ARRAY_SIZE(texts) && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_text(stmt, place++, texts[i], -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = row_bind_value(stmt, place++, t->args);
    if (rc == SQLITE_OK)
        rc = row_bind_ref(stmt, place++, refs.env);
    if (rc == SQLITE_OK)
        rc = row_bind_ref(stmt, place++, refs.creds);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(stmt, place, (int64_t)t->retry_of);
    return rc;
}

/* Rooms double when they are full, so the count alone tells how much room there is. */
struct store_task *row_add(struct store_op *op)
{
    uint32_t n = op->nrows;
    bool full = n == 0 ? !op->rows : n >= ROW_FIRST_ROOM && (n & (n - 1)) == 0;
    if (full) {
        size_t room = n == 0 ? ROW_FIRST_ROOM : (size_t)n * 2;
        struct store_task *rows = realloc(op->rows, room * sizeof(*rows));
        if (!rows)
            return NULL;
        op->rows = rows;
    }
    memset(&op->rows[n], 0, sizeof(op->rows[n]));
    return &op->rows[n];
}

void store_task_done(struct store_task *t)
{
    free(t->function);
    free(t->group);
    free(t->name);
    free(t->title);
    value_unref(t->args);
    value_unref(t->env);
    value_unref(t->creds);
    value_unref(t->result);
    value_unref(t->usage);
    *t = (struct store_task){0};
}

void store_rows_free(struct store_op *op)
{
    for (uint32_t i = 0; i < op->nrows; i++)
        store_task_done(&op->rows[i]);
    free(op->rows);
    op->rows = NULL;
    op->nrows = 0;
}
