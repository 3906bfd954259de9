/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * store - the durable record of every task: SQLite behind a dozen functions.
 *
 * One connection in one thread (WAL, synchronous=FULL, locking_mode=EXCLUSIVE). Operations are
 * queued from the loop thread; the store thread takes all that wait, runs them in one
 * transaction, commits (one fdatasync) and posts their completions back, in order. While one
 * commit runs the next batch forms: no timer. Lazy ones wait up to LIMIT_STORE_LAZY_MS for
 * company.
 *
 * Writers see: done(op) is called on the loop thread after COMMIT. op->err is 0 or the
 * reason. An I/O error on commit is -EIO: the outcome is unknown, every later operation fails
 * the same way and the owner must stop the process (a second fsync would lie). A full disk is
 * -ENOSPC: the transaction is rolled back, only new submits are refused; the ballast file is
 * given up so that what finishes is still recorded.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/posted.h"
#include "base/value.h"

struct store;
struct store_op;

enum { STORE_UUID_BYTES = 16, STORE_TOKEN_BYTES = 16 };
enum { STORE_GROUP_BYTES = LIMIT_NAME_BYTES + 1 };

/* Held in a file and given up on a full disk: room for a WAL (LIMIT_WAL_BYTES) and the results
 * of what ends. */
#define STORE_BALLAST_BYTES (UINT64_C(64) * 1024 * 1024)

/* How a task ended; kept in the database, never renumber. */
enum store_outcome { STORE_LIVE = 0, STORE_OK = 1, STORE_FAILED = 2, STORE_CANCELLED = 3 };

/* A task as submitted. Strings are NUL-terminated; pointers are borrowed by the call that
 * takes the row and owned by the row that a read gives back (store_task_done frees them). */
struct store_task {
    uint64_t id;
    uint32_t uid;
    uint32_t gid;
    uint64_t submitted_ns; /* wall clock */
    uint64_t due_ns;       /* do not start before: nanoseconds on due_clock; 0: at once */
    uint8_t due_clock;     /* enum aio_clock; boot-clock times are only valid within boot_id */
    uint64_t due_wall_ns;  /* the same point on the wall clock, for another boot */
    uint8_t boot_id[STORE_UUID_BYTES]; /* of the submit */
    uint32_t client_pid;               /* who submitted, for people; 0: unknown */
    char *function;                    /* "exec" */
    char *group;                       /* "default" */
    char *name;                        /* or NULL */
    char *title;                       /* the line that status shows */
    struct value *args;                /* msgpack; what the function was called with */
    struct value *env;   /* msgpack array of NAME=VALUE, interned by uid and content; or NULL */
    struct value *creds; /* supplementary groups, uint32_t each, interned likewise; or NULL */
    uint64_t retry_of;   /* the finished task that this one repeats; 0: none */
    /* what happened since */
    uint32_t attempt;                 /* 0: none recorded yet */
    uint8_t token[STORE_TOKEN_BYTES]; /* of the last attempt */
    uint8_t attempt_boot[STORE_UUID_BYTES];
    uint8_t attempt_spawner[STORE_UUID_BYTES]; /* zero: the function needs no spawner */
    uint64_t attempt_ns;                       /* when it was recorded, wall clock */
    uint64_t attempt_boot_ns;                  /* the same on the boot clock of attempt_boot */
    uint32_t pid;                              /* 0: not known to have started */
    uint64_t start_ticks;
    uint64_t started_ns; /* wall clock */
    uint64_t cancel_ns;  /* cancel asked at, wall clock; 0: not */
    uint32_t cancel_uid; /* by whom */
    uint8_t cancel_kill; /* with SIGKILL at once */
    enum store_outcome outcome;
    uint64_t ended_ns; /* wall clock; 0 while live */
    struct value
        *result; /* msgpack: the value of an ok task, the error of a failed one; or NULL */
    struct value *usage; /* msgpack map: cpu, memory, steps, …; or NULL */
    uint64_t retried_as; /* the newest task that repeats this one; 0: none */
};
void store_task_done(struct store_task *); /* frees what it points to, zeroes it */

struct store_attempt {
    uint64_t id;
    uint32_t attempt;
    uint8_t token[STORE_TOKEN_BYTES];
    uint8_t boot[STORE_UUID_BYTES];
    uint8_t spawner[STORE_UUID_BYTES];
    uint64_t wall_ns;
    uint64_t boot_ns; /* the same moment on the boot clock */
};
struct store_started {
    uint64_t id;
    uint32_t attempt;
    uint32_t pid;
    uint64_t start_ticks;
    uint64_t wall_ns;
};
struct store_end {
    uint64_t id;
    enum store_outcome outcome;
    uint64_t wall_ns;
    struct value *result; /* borrowed until done: the caller keeps it */
    struct value *usage;  /* likewise */
};
struct store_cancel {
    uint64_t id;
    uint64_t wall_ns;
    uint32_t uid;
    bool kill;
};

/* To remove a task, and what is known of it afterwards. */
struct store_remove {
    uint32_t only_uid; /* only if it is a task of that user, else -ENOENT; UINT32_MAX: any */
    /* results */
    uint32_t uid;
    uint32_t attempts;
    enum store_outcome outcome;
    char group[STORE_GROUP_BYTES];
};

/* What a command says of a group. */
struct store_group {
    const char *name; /* borrowed until done */
    uint32_t slots;   /* 0: as it was */
    int8_t paused;    /* -1: as it was */
};

/* Which finished tasks a page has. */
struct store_filter {
    uint64_t before;   /* ids below this one; UINT64_MAX: the newest first */
    uint32_t uid;      /* UINT32_MAX: everybody's */
    const char *name;  /* exactly this name, or NULL; borrowed until done */
    const char *group; /* likewise */
    uint64_t since_ns; /* that ended then or later, wall clock; 0: at any time */
    uint64_t until_ns; /* that ended before; 0: likewise */
    uint32_t outcomes; /* bits 1 << enum store_outcome; 0: any */
    uint32_t limit;    /* rows, at most LIMIT_PAGE_ROWS */
};

typedef void store_done_fn(struct store_op *);

enum store_verb {
    STORE_SUBMIT,  /* insert op->task; borrowed until done. With retry_of: that one is marked as
                      retried; -ENOENT, -EBUSY unless it is there and finished */
    STORE_ATTEMPT, /* record op->attempt; no longer started; then op->rows[0] is the task's row,
                      with args, env and creds */
    STORE_STARTED,
    STORE_CANCEL,       /* record that a cancel was asked for */
    STORE_END,          /* record the outcome */
    STORE_REMOVE,       /* forget the finished task op->id; -EBUSY while it lives */
    STORE_GROUP,        /* keep what op->group says */
    STORE_GROUP_FORGET, /* forget what was said of op->group.name */
    STORE_GET,  /* op->rows[0]: the task op->id, live or finished, all columns; -ENOENT */
    STORE_PAGE, /* op->rows: finished tasks by op->filter, newest first, without env and creds;
                 * fewer than asked for only at the end, or when they are so large that they
                 * are given out in portions: then op->more is set, with at least one row */
};
/* Errors of one operation alone: -ENOENT no such task (or setting); -EALREADY it is finished (or,
 * for STARTED, at another attempt); -EEXIST a submit's id is taken; -EINVAL a submit without id,
 * function, group, title or args, an end without outcome; -E2BIG a row of more than 4 MiB;
 * -ENOMEM. It had no effect then. */

/* One operation; embedded or allocated by the caller, who keeps it in place until done. */
struct store_op {
    struct list node; /* private */
    enum store_verb verb;
    bool lazy;           /* may wait for company */
    bool refused;        /* private: failed by itself, left out when its batch runs again */
    store_done_fn *done; /* on the loop thread; op is the caller's again */
    /* NULL, or called before done, on the store thread, of an operation that is committed: what
     * belongs on the disk with it. It touches op's rows and what its owner leaves alone until
     * done. */
    store_done_fn *committed;
    int err; /* the result: 0 or a negative errno */
    uint64_t id;
    union {
        const struct store_task *task;
        struct store_attempt attempt;
        struct store_started started;
        struct store_end end;
        struct store_cancel cancel;
        struct store_remove remove;
        struct store_group group;
        struct store_filter filter;
    };
    struct store_task
        *rows; /* result of reads: array owned by the op, free with store_rows_free */
    uint32_t nrows;
    bool more; /* PAGE: there may be older ones: go on with before = id of the last row */
    uint64_t page_from;          /* private: where the next step of a page goes on */
    uint64_t page_bytes;         /* private: what its rows hold so far */
    struct page_span *page_span; /* private: of a page by time, see page.c */
    struct posted posted; /* private: carries it and those behind it to the loop thread */
};
void store_rows_free(struct store_op *);

struct store_options {
    const char *dir; /* the state directory, 0700, exists */
    /* Runs posted->fn(posted->arg) on the loop thread; called from the store thread, must not
     * fail. */
    void (*post)(void *ctx, struct posted *);
    void *post_ctx;
    uint64_t ballast_bytes; /* 0: STORE_BALLAST_BYTES; at most a sixteenth of the file system */
};

/* Refuses a state directory of another user, or one that others may write to (-EPERM). Takes its
 * lock (-EBUSY: another aiod has it, with its pid in the sentence),
 * opens or creates the database, checks it (quick_check after an unclean stop), upgrades an
 * older schema (a newer one is refused), starts the thread. Blocking: called before the loop
 * runs. A database that is corrupt is refused (-EUCLEAN) with its path and what to do; the file
 * is never touched. So is one that is missing or empty where the directory's `instance` file
 * says that there was one. -ENOTSUP: a newer schema. */
int store_open(struct store **ret, const struct store_options *, struct err *);
/* Commits what is queued and calls its done functions' posts, checkpoints, joins the thread,
 * frees. Blocking; NULL is a no-op. Completions posted meanwhile must still be run by the
 * caller's loop. */
void store_close(struct store *);

const uint8_t *
store_instance(const struct store *); /* uuid of this state directory, 16 bytes, borrowed */
uint64_t store_last_id(const struct store *); /* the highest id ever used, as of store_open */

/* Calls fn for every live task in the order of ids, without args, env, creds; before the
 * loop runs (blocking, from the thread that called store_open, before any store_queue). The row
 * is the callee's to steal from; what is left is freed after the call. A negative return stops
 * and is returned. */
int store_load_live(struct store *, int (*fn)(void *ctx, struct store_task *), void *ctx,
                    struct err *);

struct store_counts {
    uint64_t ok, failed, cancelled;
};
/* Calls fn with the number of finished tasks per uid; blocking, as store_load_live. */
int store_load_counts(struct store *,
                      int (*fn)(void *ctx, uint32_t uid, const struct store_counts *),
                      void *ctx, struct err *);

/* Calls fn with what commands have said of each group (slots 0: nothing, paused 0 or 1);
 * blocking, as store_load_live. */
int store_load_groups(struct store *, int (*fn)(void *ctx, const struct store_group *),
                      void *ctx, struct err *);

/* Queues an operation; it is completed in the order of queueing, but for STORE_PAGE: it sees
 * all that was queued before it and goes on in steps between commits, so that what was queued
 * after it need not wait. Never blocks, never fails. */
void store_queue(struct store *, struct store_op *);

uint32_t store_queue_length(struct store *);  /* operations that wait for the next batch */
uint64_t store_commits(const struct store *); /* transactions written since store_open */
