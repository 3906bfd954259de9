/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * launch - the creation of a child, and the memory it needs until it has executed its command.
 *
 * A child of its own memory (fork) costs the copy of the page tables, a page fault for each page
 * that either side writes to afterwards, and the end of it all in execve. A child that shares the
 * spawner's memory until execve (CLONE_VM, on a stack of its own) costs none of that. It is no
 * vfork: the spawner does not wait, so that a child that hangs stops nobody. What the child reads
 * stays as it is until the kernel says, by clearing a word at execve or exit
 * (CLONE_CHILD_CLEARTID), that it needs the memory no more; that is looked at when the next one
 * starts and when one ends.
 *
 *     take → fill start and spec → run → (the child executes or ends) → taken back
 *
 * Memory is shared only with a child that is and stays what the spawner and aiod are: same uid,
 * and for root same gid. One that becomes another user gets a copy, because for a while before
 * execve it is that user's process with root's memory: what that user may do to it (ptrace,
 * /proc/PID/mem, core dumps) hangs on one flag of the memory (PR_SET_DUMPABLE), which every
 * change of ids by any other such child sets to fs.suid_dumpable. And a write to its
 * oom_score_adj would be one to the spawner's. Nor on kernels before 5.16, which kill all that
 * share a memory when one of them dumps core, nor where raw.h has no calls for it.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"
#include "daemon/spawner/child.h"
#include "daemon/spawner/spec_read.h"

enum {
    LAUNCH_ENV_MAX = 48,      /* bytes of "AIOD_TASK_ID=" and a number */
    LAUNCH_STACK = 64 * 1024, /* bytes, of which a child touches two pages; and as many that */
    LAUNCH_GUARD = 64 * 1024, /* fault below it: multiples of every page size */
    LAUNCHES_SHARING_MAX = 256, /* children at once; those beyond get a copy */
    LAUNCHES_IDLE_MAX = 4       /* kept for the next */
};

struct launch {
    struct list node;         /* private */
    volatile pid_t in_use;    /* private: not 0 until the kernel clears it */
    pid_t pid;                /* private: of the child that shares */
    char *stack;              /* owned, mapped; NULL: the child gets memory of its own */
    struct child_start start; /* to be filled */
    struct spec_view spec;    /* to be opened; closed when it is taken back */
    char task[LAUNCH_ENV_MAX];
    char attempt[LAUNCH_ENV_MAX];
};

struct launches {
    struct list sharing; /* of struct launch: their children may still be at it */
    struct list idle;
    unsigned nsharing;
    unsigned nidle;
};

/* Whether this kernel and this build know how to share. */
bool launch_can_share(void);

void launches_init(struct launches *ls);
/* Frees all but what children still use. */
void launches_done(struct launches *ls);
/* A child has ended, and is not reaped: takes back its launch, if that is still out. (The kernel
 * does not clear the word of one that dumped core, on some versions.) */
void launches_ended(struct launches *ls, pid_t pid);

/* One to be filled, with a stack if the child is to share and may; NULL without memory. */
struct launch *launch_take(struct launches *ls, bool share);
/* Creates the child: its pid, with a pidfd (close-on-exec), or a negative errno. Whichever it
 * is, the launch is not the caller's any more. */
pid_t launch_run(struct launches *ls, struct launch *l, int *ret_pidfd);
/* Instead of launch_run. */
void launch_give(struct launches *ls, struct launch *l);
