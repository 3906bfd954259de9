/* SPDX-License-Identifier: MIT */
/*
 * store - opening, closing and what is read before the loop runs.
 *
 * An open goes: lock, markers, connection, a look at what the file is, a check of the whole if
 * the last close was not in order, and only then the first write. Every refusal comes before
 * it. A close: the thread ends behind what is queued, the WAL goes into the database, `clean`
 * is put. After an I/O error neither: the next open finds the WAL as the error left it, and
 * checks.
 */
#include "daemon/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/internal.h"
#include "daemon/store/lock.h"
#include "daemon/store/marker.h"
#include "daemon/store/row.h"
#include "daemon/store/schema.h"

#define STORE_FILE "tasks.db"

static void store_free(struct store *s)
{
    db_close(&s->db);
    intern_done(&s->intern);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->mutex);
    defs_closep(&s->dir_fd);
    defs_closep(&s->lock_fd);
    free(s->path);
    free(s->dir);
    free(s);
}
DEFINE_CLEANUP(struct store, store_free)

static struct store *store_new(const struct store_options *o)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->dir_fd = -1;
    s->lock_fd = -1;
    s->post = o->post;
    s->post_ctx = o->post_ctx;
    list_init(&s->pages);
    list_init(&s->queue);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    s->dir = strdup(o->dir);
    /* SQLite takes a name that begins with "file:" for a URI. */
    if (asprintf(&s->path, "%s%s/" STORE_FILE, o->dir[0] == '/' ? "" : "./", o->dir) < 0)
        s->path = NULL;
    if (!s->dir || !s->path) {
        store_free(s);
        return NULL;
    }
    return s;
}

/* 1: there is a database; 0: none, and an empty file is there to make one in. An empty file
 * where there was an instance is refused. */
static int store_find(struct store *s, bool existed, struct err *err)
{
    struct stat st;
    if (fstatat(s->dir_fd, STORE_FILE, &st, 0) == 0) {
        if (st.st_size > 0)
            return 1;
    } else if (errno != ENOENT) {
        return err_errno(err, -errno, "cannot look at %s", s->path);
    }
    if (existed)
        return err_set(err, -EUCLEAN,
                       "%s is missing or empty, though %s/instance says that there was one: "
                       "restore a backup, or move the directory away to begin anew",
                       s->path, s->dir);
    /* Made here and not by SQLite, for its mode: the WAL inherits it. */
    int fd = openat(s->dir_fd, STORE_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, -errno, "cannot create %s", s->path);
    close(fd);
    return 0;
}

/* The database, looked at and checked but not written to. *ret_version 0: it is to be made. */
static int store_inspect(struct store *s, bool existed, int *ret_version, struct err *err)
{
    int found = store_find(s, existed, err);
    if (found < 0)
        return found;
    int r = db_open(&s->db, s->path, err);
    if (r == -EUCLEAN)
        return schema_damaged(err, s->path, sqlite3_errmsg(s->db.handle));
    if (r == 0)
        r = schema_inspect(&s->db, s->path, ret_version, err);
    if (r < 0)
        return r;
    if (*ret_version == 0 && existed)
        return schema_damaged(err, s->path, "it has no tables");
    r = marker_clean_take(s->dir_fd, s->dir, err);
    if (r == 0)
        s->db.wal_pages = 1; /* some, from before the crash */
    if (r == 0 && *ret_version > 0)
        r = schema_check(&s->db, s->path, err);
    return r < 0 ? r : 0;
}

/* Makes both say the same: the database its uuid, and the marker beside it. */
static int store_identify(struct store *s, bool existed, const uint8_t *marked, struct err *err)
{
    static const uint8_t unknown[STORE_UUID_BYTES];
    int r = schema_meta(&s->db, s->path, s->instance, &s->last_id, err);
    if (r < 0)
        return r;
    s->opened_last_id = s->last_id;
    if (!existed || memcmp(marked, unknown, STORE_UUID_BYTES) == 0)
        return marker_instance_write(s->dir_fd, s->dir, s->instance, err);
    if (memcmp(marked, s->instance, STORE_UUID_BYTES) == 0)
        return 0;
    return err_set(
        err, -EUCLEAN,
        "%s is of another instance than %s/instance says: put the right one there, or "
        "remove that file if this is the one to use",
        s->path, s->dir);
}

static int store_open_database(struct store *s, struct err *err)
{
    uint8_t marked[STORE_UUID_BYTES] = {0}, fresh[STORE_UUID_BYTES];
    int existed = marker_instance_read(s->dir_fd, s->dir, marked, err);
    if (existed < 0)
        return existed;
    int version = 0;
    int r = store_inspect(s, existed, &version, err);
    if (r < 0)
        return r;
    if (getrandom(fresh, sizeof(fresh), 0) != sizeof(fresh))
        return err_errno(err, -EIO, "cannot make a uuid");
    r = schema_upgrade(&s->db, version, fresh, err);
    if (r < 0) {
        err_prefix(err, "%s", s->path);
        return r;
    }
    r = store_identify(s, existed, marked, err);
    return r < 0 ? r : db_prepare(&s->db, err);
}

/* Whoever can write here says what runs, and as whom: root, with $HOME still another user's, would
 * run that user's tasks. */
static int store_check_owner(const struct store *s, struct err *err)
{
    struct stat st;
    if (fstat(s->dir_fd, &st) < 0)
        return err_errno(err, -errno, "%s", s->dir);
    if (st.st_uid != geteuid())
        return err_set(err, -EPERM,
                       "%s belongs to uid %u, and this is uid %u: set HOME, XDG_STATE_HOME or "
                       "--state-dir to a directory of your own",
                       s->dir, (unsigned)st.st_uid, (unsigned)geteuid());
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return err_set(err, -EPERM, "others may write to %s: chmod go-w it", s->dir);
    return 0;
}

int store_open(struct store **ret, const struct store_options *options, struct err *err)
{
    _cleanup_(store_freep) struct store *s = store_new(options);
    if (!s)
        return err_errno(err, -ENOMEM, "cannot open the store");
    s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return err_errno(err, -errno, "cannot open %s", s->dir);
    int r = store_check_owner(s, err);
    if (r < 0)
        return r;
    s->lock_fd = store_lock_take(s->dir_fd, s->dir, err);
    if (s->lock_fd < 0)
        return s->lock_fd;
    r = store_open_database(s, err);
    if (r < 0)
        return r;
    intern_init(&s->intern, s->instance);
    ballast_init(&s->ballast, s->dir_fd,
                 options->ballast_bytes ? options->ballast_bytes : STORE_BALLAST_BYTES);
    r = store_thread_start(s, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_thread_join(s);
    bool whole = upkeep_close(s);
    db_close(&s->db);
    if (whole)
        marker_clean_put(s->dir_fd);
    store_free(s);
}

const uint8_t *store_instance(const struct store *s)
{
    return s->instance;
}

uint64_t store_last_id(const struct store *s)
{
    return s->opened_last_id;
}

uint64_t store_commits(const struct store *s)
{
    return atomic_load_explicit(&s->db.commits, memory_order_relaxed);
}
