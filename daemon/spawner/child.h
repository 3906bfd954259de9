/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * child - what runs in a new process before it executes its command.
 *
 * It may hang here (a FIFO as standard input, a dead file server): that costs nobody else
 * anything, because it gives up the spawner's descriptors first, and because it has its own
 * session, it can be killed. It may share the spawner's memory (launch.h): system calls are
 * those of raw.h, functions of libc only such that keep to their arguments (memcpy, strlen), and
 * it writes to its stack, its slot and its spec's argv alone.
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
    bool groups;                  /* the spawner is root: take the spec's groups */
    bool become;                  /* and uid and gid (become.h); memory is the child's own */
    uid_t uid;
    gid_t gid;
    uid_t peer_uid;       /* of aiod, from whom the output files go to uid */
    struct rlimit nofile; /* as it was before the spawner raised its own */
    bool reset_oom;       /* write 0 to oom_score_adj; memory is the child's own */
};

/* Never returns: it executes the command, or fills the slot and exits. (clone(2) wants an int.)
 */
int child_run(void *start);
