/* SPDX-License-Identifier: MIT */
/*
 * intern - environments and groups, each stored once per uid and content.
 *
 * Found by a keyed hash, so that nobody can make a chain of equal hashes, and compared as a
 * whole. All that a transaction does to the cache can be undone: rows it made are `fresh`, and
 * what it adds to counts is only in `delta` until the flush, which is the last thing before
 * COMMIT.
 */
#include "daemon/store/intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/hash.h"

void intern_init(struct intern *in, const uint8_t key[16])
{
    *in = (struct intern){0};
    list_init(&in->entries);
    memcpy(in->key, key, sizeof(in->key));
}

static struct intern_entry *intern_entry(struct list *node)
{
    return container_of(node, struct intern_entry, node);
}

static void intern_forget(struct intern *in, struct intern_entry *e)
{
    list_remove(&e->node);
    in->count--;
    in->bytes -= e->len;
    free(e);
}

void intern_done(struct intern *in)
{
    if (!in->entries.next)
        return;
    while (!list_empty(&in->entries))
        intern_forget(in, intern_entry(in->entries.next));
}

static int intern_write(struct db *db, int64_t id, int64_t delta)
{
    sqlite3_stmt *stmt = db_stmt(db, DB_INTERN_COUNT);
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, delta);
    int r = db_run(db, stmt);
    if (r < 0 || delta > 0)
        return r;
    stmt = db_stmt(db, DB_INTERN_DROP);
    sqlite3_bind_int64(stmt, 1, id);
    return db_run(db, stmt);
}

/* 1: the entry is gone, because its row is; 0; -errno. */
static int intern_flush_entry(struct intern *in, struct db *db, struct intern_entry *e)
{
    if (e->delta == 0 && !e->fresh)
        return 0;
    int r = intern_write(db, e->id, e->delta);
    if (r < 0)
        return r;
    if (e->delta > 0) {
        e->delta = 0;
        return 0;
    }
    if (sqlite3_changes(db->handle) > 0) {
        intern_forget(in, e);
        return 1;
    }
    e->delta = 0;
    return 0;
}

static int intern_trim(struct intern *in, struct db *db)
{
    while (in->count > 2 &&
           (in->count > INTERN_CACHE_ENTRIES || in->bytes > INTERN_CACHE_BYTES)) {
        struct intern_entry *oldest = intern_entry(in->entries.prev);
        int r = intern_flush_entry(in, db, oldest);
        if (r < 0)
            return r;
        if (r == 0)
            intern_forget(in, oldest);
    }
    return 0;
}

static struct intern_entry *intern_touch(struct intern *in, struct intern_entry *e)
{
    list_remove(&e->node);
    list_push_front(&in->entries, &e->node);
    return e;
}

static bool intern_is(const struct intern_entry *e, enum intern_kind kind, uint32_t uid,
                      const struct value *v)
{
    return e->kind == kind && e->uid == uid && e->len == v->len &&
           memcmp(e->bytes, v->bytes, v->len) == 0;
}

/* The last one of its kind, without a hash: most submits come from where the one before came
 * from. */
static struct intern_entry *intern_last(struct intern *in, enum intern_kind kind, uint32_t uid,
                                        const struct value *v)
{
    unsigned n = 0;
    list_for_each (it, &in->entries) {
        if (intern_is(intern_entry(it), kind, uid, v))
            return intern_touch(in, intern_entry(it));
        if (++n == INTERN_LAST)
            break;
    }
    return NULL;
}

static struct intern_entry *intern_cached(struct intern *in, enum intern_kind kind,
                                          uint32_t uid, uint64_t hash, const struct value *v)
{
    list_for_each (it, &in->entries) {
        struct intern_entry *e = intern_entry(it);
        if (e->hash == hash && intern_is(e, kind, uid, v))
            return intern_touch(in, e);
    }
    return NULL;
}

/* 1: *ret is the row's id; 0: there is none; -errno. */
static int intern_query(struct db *db, enum intern_kind kind, uint32_t uid, uint64_t hash,
                        const struct value *v, int64_t *ret)
{
    sqlite3_stmt *stmt = db_stmt(db, DB_INTERN_FIND);
    sqlite3_bind_int64(stmt, 1, (int64_t)hash);
    int r;
    while ((r = db_step(db, stmt)) > 0) {
        const void *bytes = sqlite3_column_blob(stmt, 3);
        if (sqlite3_column_int64(stmt, 1) == kind && sqlite3_column_int64(stmt, 2) == uid &&
            sqlite3_column_bytes(stmt, 3) == (int)v->len &&
            (v->len == 0 || (bytes && memcmp(bytes, v->bytes, v->len) == 0))) {
            *ret = sqlite3_column_int64(stmt, 0);
            sqlite3_reset(stmt);
            return 1;
        }
    }
    return r;
}

static int intern_insert(struct db *db, const struct intern_entry *e, int64_t *ret)
{
    sqlite3_stmt *stmt = db_stmt(db, DB_INTERN_ADD);
    sqlite3_bind_int64(stmt, 1, e->kind);
    sqlite3_bind_int64(stmt, 2, e->uid);
    sqlite3_bind_int64(stmt, 3, (int64_t)e->hash);
    int rc = sqlite3_bind_blob64(stmt, 4, e->bytes, e->len, SQLITE_STATIC);
    int r = rc == SQLITE_OK ? db_run(db, stmt) : db_errno(db, rc);
    if (r == 0)
        *ret = sqlite3_last_insert_rowid(db->handle);
    return r;
}

int intern_find(struct intern *in, struct db *db, enum intern_kind kind, uint32_t uid,
                const struct value *v, struct intern_entry **ret)
{
    *ret = NULL;
    if (!v)
        return 0;
    *ret = intern_last(in, kind, uid, v);
    if (*ret)
        return 0;
    uint64_t hash = hash_bytes(in->key, v->bytes, v->len);
    *ret = intern_cached(in, kind, uid, hash, v);
    if (*ret)
        return 0;
    struct intern_entry *e = calloc(1, sizeof(*e) + v->len);
    if (!e)
        return -ENOMEM;
    e->hash = hash;
    e->uid = uid;
    e->kind = kind;
    e->len = v->len;
    memcpy(e->bytes, v->bytes, v->len);
    int r = intern_query(db, kind, uid, hash, v, &e->id);
    if (r == 0) {
        r = intern_insert(db, e, &e->id);
        e->fresh = true;
    }
    if (r < 0) {
        free(e);
        return r;
    }
    list_push_front(&in->entries, &e->node);
    in->count++;
    in->bytes += e->len;
    *ret = e;
    return intern_trim(in, db);
}

void intern_hold(struct intern_entry *e)
{
    if (e)
        e->delta++;
}

static struct intern_entry *intern_by_id(struct intern *in, int64_t id)
{
    list_for_each (it, &in->entries)
        if (intern_entry(it)->id == id)
            return intern_entry(it);
    return NULL;
}

int intern_release(struct intern *in, struct db *db, int64_t id)
{
    if (id == 0)
        return 0;
    struct intern_entry *e = intern_by_id(in, id);
    if (!e)
        return intern_write(db, id, -1);
    e->delta--;
    return 0;
}

int intern_read(struct intern *in, struct db *db, int64_t id, struct value **ret)
{
    *ret = NULL;
    if (id == 0)
        return 0;
    struct intern_entry *e = intern_by_id(in, id);
    if (e) {
        *ret = value_new(e->bytes, e->len);
        return *ret ? 0 : -ENOMEM;
    }
    sqlite3_stmt *stmt = db_stmt(db, DB_INTERN_GET);
    sqlite3_bind_int64(stmt, 1, id);
    int r = db_step(db, stmt);
    if (r <= 0)
        return r < 0 ? r : -EUCLEAN; /* counted by the task, so it must be there */
    const void *bytes = sqlite3_column_blob(stmt, 0);
    *ret = value_new(bytes, bytes ? (size_t)sqlite3_column_bytes(stmt, 0) : 0);
    sqlite3_reset(stmt);
    return *ret ? 0 : -ENOMEM;
}

int intern_flush(struct intern *in, struct db *db)
{
    list_for_each_safe (it, &in->entries) {
        int r = intern_flush_entry(in, db, intern_entry(it));
        if (r < 0)
            return r;
    }
    return 0;
}

void intern_committed(struct intern *in)
{
    list_for_each (it, &in->entries)
        intern_entry(it)->fresh = false;
}

void intern_rolled_back(struct intern *in)
{
    list_for_each_safe (it, &in->entries) {
        struct intern_entry *e = intern_entry(it);
        e->delta = 0;
        if (e->fresh)
            intern_forget(in, e);
    }
}
