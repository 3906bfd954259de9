/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * child - what runs in a new process between fork and exec.
 *
 * Only async-signal-safe calls; all memory was made before the fork. It may hang here (a FIFO
 * as standard input, a dead file server): that costs nobody else anything, because it gives up
 * the spawner's descriptors first, and because it has its own session, it can be killed.
 */
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

struct spec_view;
struct slot;

struct child_start {
    const struct spec_view *spec; /* borrowed */
    struct slot *slot;            /* borrowed */
    int out_fd;                   /* borrowed; above 2 */
    int err_fd;                   /* borrowed; above 2, or out_fd */
    bool become; /* the spawner is root: become uid, gid and the spec's groups */
    uid_t uid;
    gid_t gid;
    uid_t peer_uid;       /* of aiod, from whom the output files go to uid */
    struct rlimit nofile; /* as it was before the spawner raised its own */
    bool reset_oom;       /* oom_score_adj is not 0 here */
};

_Noreturn void child_run(const struct child_start *start);
