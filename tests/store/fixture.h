/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * fixture - a store in a directory of its own, and a loop that is no more than a queue.
 *
 * What the store posts is kept behind a mutex and an eventfd until the test drains it, so done
 * functions run on the test's thread. The gate holds the store thread inside post(): what is
 * queued meanwhile becomes one batch.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "daemon/store/store.h"

enum { FIXTURE_POSTS_MAX = 4096 };

struct fixture_post {
    void (*fn)(void *arg);
    void *arg;
};

struct fixture {
    char dir[64];
    struct store_options options;
    struct store *store;
    struct err err;
    unsigned completed; /* operations, so far */
    pthread_mutex_t mutex;
    pthread_cond_t moved; /* the gate, or who waits at it */
    bool gate_closed;
    bool at_gate;
    int event; /* eventfd */
    unsigned nposts;
    struct fixture_post posts[FIXTURE_POSTS_MAX];
};

/* One operation of a test. */
struct call {
    struct store_op op;
    struct fixture *fixture;
    unsigned order; /* 1 for the first operation that completed, 0: not yet */
};

int fixture_setup(void **state);                 /* an open store */
int fixture_teardown(void **state);              /* closes it and removes the directory */
struct fixture *fixture_new(const char *parent); /* not opened; NULL on failure */
void fixture_free(struct fixture *);

int fixture_open(struct fixture *); /* result of store_open; the sentence is in err */
void fixture_close(struct fixture *);
void fixture_path(const struct fixture *, const char *name, char ret[128]);
/* One integer from the database; the store must be closed. */
int64_t fixture_integer(const struct fixture *, const char *sql);
off_t fixture_size(const struct fixture *, const char *name); /* -1: no such file */
bool fixture_has(const struct fixture *, const char *name);

void fixture_gate_close(struct fixture *); /* the store thread stops at its next post */
void fixture_gate_await(struct fixture *); /* until it stands there */
void fixture_gate_open(struct fixture *);

void call_queue(struct fixture *, struct call *);
void call_await(struct fixture *, const struct call *); /* fails the test after 20 s */
int call_run(struct fixture *, struct call *);          /* both; the operation's result */

/* A live task with all columns of a submit set, derived from id; args, env and creds are new.
 */
void task_fill(struct store_task *, uint64_t id);
void task_assert_submitted(const struct store_task *got, const struct store_task *wanted);
int task_submit(struct fixture *, uint64_t id); /* task_fill and STORE_SUBMIT */
int task_end(struct fixture *, uint64_t id, enum store_outcome);
int task_remove(struct fixture *, uint64_t id);
/* Closes the store behind 200 tasks in a hundred pages, most of them the rows of tasks. */
void fixture_fill_and_close(struct fixture *);
