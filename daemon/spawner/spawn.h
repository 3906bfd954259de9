/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * spawn - from a SPAWN record to a process: whether it may be, the spec, the fork.
 */
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "daemon/spawner/children.h"
#include "daemon/spawner/record.h"
#include "daemon/spawner/slot.h"

/* What every child is started under. */
struct spawn_rules {
    uid_t uid;            /* the spawner's own */
    uid_t peer_uid;       /* aiod's */
    struct rlimit nofile; /* for children */
    rlim_t nofile_own;    /* descriptors that the spawner itself may have */
    bool reset_oom;       /* children get oom_score_adj 0 */
};

/* Starts the process of a child that was just added: fills pid, pidfd, slot and `started`; or,
 * when that fails, `end`. The descriptors (spec, out and, unless SPAWN_MERGE, err) stay the
 * caller's. */
void spawn_child(const struct spawn_rules *rules, struct slots *slots, struct child *child,
                 const struct record *rec, const int fds[RECORD_MAX_FDS]);
