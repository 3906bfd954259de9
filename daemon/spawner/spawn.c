/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/spawner/child.h"
#include "daemon/spawner/spec_read.h"
#include "daemon/spawner/ticks.h"

enum {
    SPAWN_FDS_KEPT = 32, /* descriptors that no child may take, so that aiod can connect */
    SPAWN_ENV_MAX = 48,  /* bytes of "AIOD_TASK_ID=" and a number */
};

static bool spawn_is_allowed(const struct spawn_rules *rules, uid_t uid, gid_t gid)
{
    if (uid == (uid_t)-1 || gid == (gid_t)-1)
        return false;
    if (rules->uid != 0)
        return uid == rules->uid;
    /* No command may run as the user that owns the store and can open this socket. */
    return rules->peer_uid == 0 || uid != rules->peer_uid;
}

/*
 * fork, with a pidfd made by the same call: when descriptors or memory are short it fails
 * before there is a process. (Not vfork: the child may hang before exec.)
 */
static pid_t spawn_fork(int *ret_pidfd)
{
#ifdef __s390x__
    return (pid_t)syscall(SYS_clone, 0, CLONE_PIDFD | SIGCHLD, ret_pidfd, 0, 0);
#else
    return (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, ret_pidfd, 0, 0);
#endif
}

static void spawn_set_started(struct child *child, pid_t pid, int pidfd, struct slot *slot)
{
    child->pid = pid;
    child->pidfd = pidfd;
    child->slot = slot;
    child->started = (struct record){.type = RECORD_STARTED,
                                     .started = {.pid = (uint32_t)pid,
                                                 .start_ticks = ticks_of(pid),
                                                 .wall_ns = clock_wall()}};
    memcpy(child->started.token, child->token, RECORD_TOKEN_BYTES);
}

static void spawn_process(struct slots *slots, struct child *child, struct child_start *start)
{
    struct slot *slot = slot_take(slots);
    if (!slot) {
        child_set_failed(child, SPAWN_STEP_FORK, ENOMEM);
        return;
    }
    start->slot = slot;
    int pidfd = -1;
    pid_t pid = spawn_fork(&pidfd);
    if (pid == 0)
        child_run(start);
    if (pid < 0) {
        child_set_failed(child, SPAWN_STEP_FORK, errno);
        slot_give(slots, slot);
        return;
    }
    spawn_set_started(child, pid, pidfd, slot);
}

void spawn_child(const struct spawn_rules *rules, struct slots *slots, struct child *child,
                 const struct record *rec, const int fds[RECORD_MAX_FDS])
{
    struct spec_view spec;
    char task[SPAWN_ENV_MAX];
    char attempt[SPAWN_ENV_MAX];

    if (!spawn_is_allowed(rules, rec->spawn.uid, rec->spawn.gid)) {
        child_set_failed(child, SPAWN_STEP_DENIED, EPERM);
        return;
    }
    if ((rlim_t)fds[0] + SPAWN_FDS_KEPT >= rules->nofile_own) {
        child_set_failed(child, SPAWN_STEP_FORK, EMFILE);
        return;
    }
    int r = spec_view_open(&spec, fds[0]);
    if (r < 0) {
        child_set_failed(child, SPAWN_STEP_SPEC, -r);
        return;
    }
    snprintf(task, sizeof(task), "AIOD_TASK_ID=%" PRIu64, rec->spawn.task);
    snprintf(attempt, sizeof(attempt), "AIOD_ATTEMPT=%" PRIu32, rec->spawn.attempt);
    spec_view_setenv(&spec, task);
    spec_view_setenv(&spec, attempt);

    bool merge = rec->spawn.flags & SPAWN_MERGE;
    struct child_start start = {.spec = &spec,
                                .out_fd = fds[1],
                                .err_fd = merge ? fds[1] : fds[2],
                                .become = rules->uid == 0,
                                .uid = rec->spawn.uid,
                                .gid = rec->spawn.gid,
                                .peer_uid = rules->peer_uid,
                                .nofile = rules->nofile,
                                .reset_oom = rules->reset_oom};
    spawn_process(slots, child, &start);
    spec_view_done(&spec);
}
