/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * internal - struct store, and what its files call in each other.
 *
 * After store_open the connection and all that is not marked `shared` belong to the store
 * thread.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/defs.h"
#include "base/list.h"
#include "daemon/store/ballast.h"
#include "daemon/store/db.h"
#include "daemon/store/intern.h"
#include "daemon/store/store.h"

/* Of arguments, environments and results in one transaction: what the largest commit makes
 * others wait. */
#define STORE_BATCH_BYTES  (1024u * 1024u)
/* Of rows in one page, so that a thousand large results never are in memory at once. */
#define STORE_PAGE_BYTES   (4u * 1024u * 1024u)
/* Without operations before the idle checkpoint: commands that follow each other are no pause.
 */
#define STORE_QUIET_MS     1000u
/* Free pages given back to the file system in one step when idle; fewer stay for reuse. */
#define STORE_VACUUM_PAGES 256

struct store {
    char *dir;   /* owned */
    char *path;  /* owned; of the database */
    int dir_fd;  /* owned */
    int lock_fd; /* owned; holds the lock */
    uint8_t instance[STORE_UUID_BYTES];
    uint64_t opened_last_id;
    void (*post)(void *ctx, struct posted *);
    void *post_ctx; /* borrowed */

    struct db db;
    struct intern intern;
    struct ballast ballast;
    uint64_t last_id;  /* as the database has it */
    struct list pages; /* STORE_PAGE operations under way */
    bool broken;       /* an I/O error: nothing is written or synced any more */
    bool wal_named;    /* the directory was synced since the WAL was made */
    bool wal_dirty;    /* grown since the last checkpoint */
    uint64_t quiet_at; /* clock_awake: then the idle checkpoint is due */

    pthread_t thread;
    bool started; /* the thread is to be joined */
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* shared: something to do for the thread */
    struct list queue;   /* shared */
    uint32_t queued;     /* shared; operations in the queue */
    bool urgent;         /* shared; one of them is not lazy */
    uint64_t lazy_until; /* shared; clock_awake: the lazy ones wait no longer */
    bool closing;        /* shared */
};

/* thread.c */
int store_thread_start(struct store *, struct err *);
void store_thread_join(struct store *);       /* after all that is queued was done */
bool store_thread_waited_for(struct store *); /* operations are queued */

/* batch.c: runs all of ops in one transaction; each op->err is set. */
void batch_run(struct store *, struct list *ops);
void batch_break(struct store *); /* from here on every operation fails with -EIO */

/* verbs.c: 0 or -errno. It had no effect when it fails with one of the errors of store.h, but
 * -ENOMEM; that and any other one need a rollback. */
int verb_run(struct store *, struct store_op *);

/* page.c: examines LIMIT_PAGE_ROWS rows at most, for the pages under way in turn; what is
 * finished goes to done. */
void page_step(struct store *, struct list *done);

/* upkeep.c */
void upkeep_busy(struct store *);  /* between batches */
void upkeep_quiet(struct store *); /* after a quiet second */
bool upkeep_rewind(
    struct store *); /* true: the next commit writes the WAL's file from its start */
bool upkeep_close(struct store *); /* true: the database is whole without its WAL */
