/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * spawn - from a SPAWN record to a process: whether it may be, the spec, the launch.
 */
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "daemon/spawner/children.h"
#include "daemon/spawner/launch.h"
#include "daemon/spawner/record.h"
#include "daemon/spawner/slot.h"
#include "daemon/spawner/ticks.h"

/* What every child is started under, and with. */
struct spawn {
    uid_t uid;            /* the spawner's own */
    gid_t gid;            /* the spawner's own */
    uid_t peer_uid;       /* aiod's */
    struct rlimit nofile; /* for children */
    rlim_t nofile_own;    /* descriptors that the spawner itself may have */
    bool reset_oom;       /* children get oom_score_adj 0 */
    bool share;           /* a child that stays what we are may share memory */
    enum ticks_trust ticks;
    struct slots slots;
    struct launches launches;
};

void spawn_init(struct spawn *sp); /* spawn_done is allowed */
/* Learns who we are; after it everything else is to be filled. */
void spawn_identify(struct spawn *sp);
void spawn_done(struct spawn *sp);

/* Starts the process of a child that was just added: fills pid, pidfd, slot and `started`; or,
 * when that fails, `end`. The descriptors (spec, out and, unless SPAWN_MERGE, err) stay the
 * caller's. */
void spawn_child(struct spawn *sp, struct child *child, const struct record *rec,
                 const int fds[RECORD_MAX_FDS]);
/* Of a child that has just ended: takes back what it was started with. */
void spawn_ended(struct spawn *sp, struct child *child);
