/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * process - what the spawner makes of its own process before it serves anybody, and what of
 * that children are to get back.
 */
#include <stdbool.h>
#include <sys/resource.h>

#include "base/err.h"

struct process {
    struct rlimit nofile; /* RLIMIT_NOFILE as it was */
    rlim_t nofile_own;    /* the soft limit as it is now */
    bool reset_oom;       /* oom_score_adj is negative: children get 0 */
    int sigfd;            /* owned: SIGTERM and SIGINT, which are blocked */
};

/* Opens 0 to 2 if they are closed, so that no other descriptor lands there. 0 or negative
 * errno. To be called before anything is opened. */
int process_open_std(void);
/* Signals, limits, umask, working directory. 0 or a negative errno with a sentence. */
int process_init(struct process *p, struct err *err);
void process_done(struct process *p);
