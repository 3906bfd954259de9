/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * tasks - everything that has been submitted and is not finished: submit, find, cancel, remove.
 *
 * Owns the records, the groups and the counts. What is finished lives in the store alone.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"
#include "daemon/aio/loop.h"
#include "daemon/store/store.h"
#include "daemon/tasks/function.h"
#include "daemon/tasks/group.h"
#include "daemon/tasks/record.h"
#include "daemon/tasks/store_call.h"
#include "daemon/tasks/table.h"
#include "daemon/tasks/user.h"
#include "daemon/tasks/watch.h"

struct tasks {
    struct aio_loop *loop;   /* borrowed */
    struct aio_sched *sched; /* borrowed: &loop->sched */
    struct store *store;     /* borrowed */
    struct functions functions;
    struct groups groups;
    struct watchers watchers; /* who is told what happens */
    struct table table;
    struct list users;       /* of user.node; owned, never removed */
    uint64_t last_id;        /* the highest id ever given */
    uint32_t owner_uid;      /* of the instance: limits do not bind it */
    uint32_t queued_per_uid; /* limit for everybody else */
    uint32_t grace_ms;       /* between SIGTERM and SIGKILL of a cancelled command */
    uint8_t boot_id[STORE_UUID_BYTES];
    int output_fd;             /* owned: the output directory */
    uint32_t unsettled;        /* loaded attempts whose fate is not known yet */
    bool spawner_live;         /* it has answered since the start */
    struct aio_handle opening; /* private: opens in a turn of its own */
    bool open;                 /* tasks may queue for slots: both of the above are settled */
    bool stopping;             /* lives are being taken down, nothing is recorded any more */
    /* Called when a task comes, changes its state or goes, for whoever counts; may be NULL. */
    void (*changed)(void *ctx);
    void *changed_ctx;
    /* Called when the store failed for good: the process has to end. */
    void (*broken)(void *ctx, int err);
    void *broken_ctx;
};

struct tasks_options {
    struct aio_loop *loop;
    struct store *store;
    const char *state_dir;
    uint32_t owner_uid;
};
/* 0 or a negative errno with a sentence. Functions and groups are added afterwards, then
 * tasks_load. */
int tasks_init(struct tasks *, const struct tasks_options *, struct err *);
/* Loads every live task of the store and gives each its life. Before the loop runs. */
int tasks_load(struct tasks *, struct err *);
/* The spawner has answered and told what still runs. Once every loaded attempt is settled too,
 * the tasks that wait for slots queue up in the order of their ids; until then none does, so
 * that what runs has its slot first. */
void tasks_spawner_live(struct tasks *);
/* The fate of a loaded attempt is known; for life_resume.c. */
void tasks_settled(struct tasks *);

/* Ends all lives without recording anything: what runs goes on, the next aiod takes over. They
 * are gone after the turns of the loop that follow; tasks_idle tells when. */
void tasks_stop(struct tasks *);
bool tasks_idle(const struct tasks *);
void tasks_done(struct tasks *);

/* Who submits what. Everything is borrowed. */
struct submit {
    uint32_t uid;
    uint32_t gid;
    uint32_t client_pid;
    const struct value *creds; /* supplementary groups, uint32_t each; or NULL */
    const struct function *function;
    const struct function_call *call;
    const char *name;  /* or NULL */
    const char *group; /* or NULL: "default" */
    enum aio_clock due_clock;
    uint64_t due_ns;      /* on due_clock; 0: at once */
    uint64_t due_wall_ns; /* the same on the wall clock */
    uint64_t retry_of;    /* the finished task that it repeats; 0: none */
};
/* Makes the task and queues its record. *ret is in the table at once, its ->accepted finishes
 * when it is on disk (or fails: the task is gone then). 0, or a negative errno with a sentence.
 */
int tasks_submit(struct tasks *, const struct submit *, struct task **ret, struct err *);

struct task *tasks_find(const struct tasks *, uint64_t id); /* live; NULL: none */
struct user *tasks_user(struct tasks *, uint32_t uid); /* made when new; NULL without memory */

/* A finished task more, or one less. */
void tasks_count(struct user *, enum store_outcome);
void tasks_uncount(struct user *, enum store_outcome);

/* Asks a live task to cancel. The call (one reference, the caller's) finishes when that is
 * recorded; NULL without memory, or when it is too late (task->ending): nothing is asked then.
 */
struct store_call *tasks_cancel(struct task *, uint32_t uid, bool kill);
/* Puts a new one into the table (after table_reserve) and the counts. */
void tasks_add(struct tasks *, struct task *);
/* Takes the task out of every count and frees it. For life.c, at the end. */
void tasks_forget(struct task *);
/* The files of tasks that were removed from the store go too; in the executor. */
struct tasks_removed {
    uint64_t id;
    uint32_t attempts;
};
void tasks_remove_output(struct tasks *, const struct tasks_removed *, size_t n);
/* An error of the store that this process cannot outlive is passed on to `broken`. */
void tasks_store_failed(struct tasks *, int err);
