/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * record - one live task as memory has it: who, what, where it is in its life.
 *
 * Its arguments, environment and history are in the store; a finished task has no record.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/list.h"
#include "daemon/aio/task.h"
#include "daemon/store/store.h"

struct function;
struct group;
struct tasks;
struct user;

/* What asyncio would say of the function that was submitted. */
enum task_state { TASK_PENDING, TASK_RUNNING, TASK_SUSPENDED, TASK_DONE, TASK_STATES };

/* What stands between a task and its next step. */
enum task_awaits {
    AWAITS_NOTHING, /* its step or its process executes */
    AWAITS_STORE,   /* a commit */
    AWAITS_TIMER,   /* task->until_ns */
    AWAITS_SLOT,    /* one of its group's */
    AWAITS_SPAWNER, /* that the spawner answers */
    AWAITS_PROCESS, /* the exit of task->pid */
};

/* What its processes used: getrusage(2). */
struct task_usage {
    uint64_t user_us;
    uint64_t system_us;
    uint64_t maxrss_kib;
};

struct task {
    uint64_t id;
    struct tasks *tasks;             /* borrowed: its owner */
    const struct function *function; /* static */
    struct group *group;             /* borrowed; groups outlive tasks */
    struct user *user;               /* borrowed, likewise */
    struct aio_task *life;           /* counted; its coroutine is life.c's */
    struct aio_future *accepted;     /* counted; while its submit is not committed, else NULL */
    struct aio_future *gate;         /* counted; while it waits for tasks->open, else NULL */
    struct aio_future *ended;        /* counted; made when somebody awaits it, else NULL */
    struct aio_future *moved;        /* counted; likewise: its next change of state */
    struct list in_line;             /* private to line.c: the line for a slot */
    void *attached;        /* the function's own for the attempt; NULL. Freed by settled */
    char *name;            /* owned, or NULL */
    uint64_t submitted_ns; /* wall clock, as all that follow */
    uint64_t since_ns;     /* when it entered its state */
    uint64_t due_ns;       /* not before, on due_clock; 0: at once */
    uint64_t until_ns;     /* the timer it awaits, for people; 0: none */
    uint64_t started_ns;
    uint64_t cancel_ns;      /* cancel asked at; 0: not */
    struct task_usage usage; /* zero until a process of it has ended */
    uint64_t retry_of;       /* the finished task that it repeats; 0: none */
    uint32_t cancel_uid;     /* by whom */
    uint32_t uid;
    uint32_t gid;
    uint32_t attempt; /* 0: none recorded */
    uint32_t pid;     /* of its process, 0: none */
    enum aio_clock due_clock : 8;
    enum task_state state : 8;
    enum task_awaits awaits : 8;
    bool cancel_kill; /* the cancel means SIGKILL at once */
    bool begun;       /* its life has taken its first step */
    bool ending;      /* its function has returned: a cancel comes too late */
    bool has_slot;    /* of its group */
    bool has_place;   /* likewise (line.h) */
    char title[];     /* what status shows, at most LIMIT_TITLE_BYTES and NUL */
};

/* A zeroed record with its strings copied; NULL without memory. */
struct task *task_new(struct tasks *, uint64_t id, const char *name, const char *title);
/* Frees a record that is in no table, no line and whose life is over. */
void task_free(struct task *);

/* Enters a state, keeping count of it; `since` moves only when the state changes. What the
 * watchers are to see of it (pid, until_ns, …) is set before. */
void task_enter(struct task *, enum task_state, enum task_awaits);
/* The same for a state that was entered earlier, as one that outlived a restart; 0: now. */
void task_enter_since(struct task *, enum task_state, enum task_awaits, uint64_t since_ns);

const char *task_state_name(enum task_state);   /* "PENDING", … */
const char *task_awaits_name(enum task_awaits); /* "timer", …; NULL for nothing */
const char *task_outcome_name(enum store_outcome);

/* The future that finishes once the task is DONE and recorded, with the task as the protocol
 * shows it (view.h) as its value; it fails with -ENOENT if the task could not be recorded. Shared
 * by all who await: watch it with aio_future_add_done, never cancel it (asyncio.wait). Borrowed;
 * NULL without memory. */
struct aio_future *task_ended(struct task *);
/* The future that finishes at its next change of state, DONE included; under the same terms. */
struct aio_future *task_moved(struct task *);
