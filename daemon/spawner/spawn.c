/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/spawn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* Descriptors that no child may take, so that aiod can connect. */
enum { SPAWN_FDS_KEPT = 32 };

void spawn_init(struct spawn *sp)
{
    *sp = (struct spawn){0};
    slots_init(&sp->slots);
    launches_init(&sp->launches);
}

void spawn_identify(struct spawn *sp)
{
    uid_t uid[3];
    gid_t gid[3];
    sp->uid = geteuid();
    sp->gid = getegid();
    /* Only where there is nothing that a child would have to give up. */
    sp->share = launch_can_share() && getresuid(&uid[0], &uid[1], &uid[2]) == 0 &&
                getresgid(&gid[0], &gid[1], &gid[2]) == 0;
    for (int i = 0; i < 3; i++)
        sp->share = sp->share && uid[i] == sp->uid && gid[i] == sp->gid;
}

void spawn_done(struct spawn *sp)
{
    launches_done(&sp->launches);
    slots_done(&sp->slots);
}

static bool spawn_is_allowed(const struct spawn *sp, uid_t uid, gid_t gid)
{
    if (uid == (uid_t)-1 || gid == (gid_t)-1)
        return false;
    if (sp->uid != 0)
        return uid == sp->uid;
    /* No command may run as the user that owns the store and can open this socket. */
    return sp->peer_uid == 0 || uid != sp->peer_uid;
}

/* See launch.h: it is and stays what the spawner and aiod are. (One that is not root cannot make
 * it anything else, and leaves its gid as it is.) */
static bool spawn_may_share(const struct spawn *sp, uid_t uid, gid_t gid)
{
    return sp->share && !sp->reset_oom && uid == sp->uid && uid == sp->peer_uid &&
           (uid != 0 || gid == sp->gid);
}

/* What to start, into the launch. 0 or a negative errno. */
static int spawn_prepare(const struct spawn *sp, struct launch *l, bool share,
                         const struct record *rec, const int fds[RECORD_MAX_FDS])
{
    int r = spec_view_open(&l->spec, fds[0]);
    if (r < 0)
        return r;
    snprintf(l->task, sizeof(l->task), "AIOD_TASK_ID=%" PRIu64, rec->spawn.task);
    snprintf(l->attempt, sizeof(l->attempt), "AIOD_ATTEMPT=%" PRIu32, rec->spawn.attempt);
    spec_view_setenv(&l->spec, l->task);
    spec_view_setenv(&l->spec, l->attempt);

    l->start = (struct child_start){.spec = &l->spec,
                                    .out_fd = fds[1],
                                    .err_fd = rec->spawn.flags & SPAWN_MERGE ? fds[1] : fds[2],
                                    .groups = sp->uid == 0,
                                    .become = sp->uid == 0 && !share,
                                    .uid = rec->spawn.uid,
                                    .gid = rec->spawn.gid,
                                    .peer_uid = sp->peer_uid,
                                    .nofile = sp->nofile,
                                    .reset_oom = sp->reset_oom};
    return 0;
}

static void spawn_set_started(struct child *child, uint64_t ticks)
{
    child->started = (struct record){.type = RECORD_STARTED,
                                     .started = {.pid = (uint32_t)child->pid,
                                                 .start_ticks = ticks,
                                                 .wall_ns = clock_wall()}};
    memcpy(child->started.token, child->token, RECORD_TOKEN_BYTES);
}

static void spawn_launch(struct spawn *sp, struct child *child, struct launch *l)
{
    struct slot *slot = slot_take(&sp->slots);
    if (!slot) {
        launch_give(&sp->launches, l);
        child_set_failed(child, SPAWN_STEP_FORK, ENOMEM);
        return;
    }
    l->start.slot = slot;
    int pidfd = -1;
    uint64_t before = clock_boot();
    pid_t pid = launch_run(&sp->launches, l, &pidfd);
    uint64_t after = clock_boot();
    if (pid < 0) {
        child_set_failed(child, SPAWN_STEP_FORK, -pid);
        slot_give(&sp->slots, slot);
        return;
    }
    child->pid = pid;
    child->pidfd = pidfd;
    child->slot = slot;
    spawn_set_started(child, ticks_of_new(&sp->ticks, pid, before, after));
}

void spawn_child(struct spawn *sp, struct child *child, const struct record *rec,
                 const int fds[RECORD_MAX_FDS])
{
    if (!spawn_is_allowed(sp, rec->spawn.uid, rec->spawn.gid)) {
        child_set_failed(child, SPAWN_STEP_DENIED, EPERM);
        return;
    }
    if ((rlim_t)fds[0] + SPAWN_FDS_KEPT >= sp->nofile_own) {
        child_set_failed(child, SPAWN_STEP_FORK, EMFILE);
        return;
    }
    bool share = spawn_may_share(sp, rec->spawn.uid, rec->spawn.gid);
    struct launch *l = launch_take(&sp->launches, share);
    if (!l) {
        child_set_failed(child, SPAWN_STEP_FORK, ENOMEM);
        return;
    }
    int r = spawn_prepare(sp, l, share, rec, fds);
    if (r == 0) {
        spawn_launch(sp, child, l);
        return;
    }
    launch_give(&sp->launches, l);
    child_set_failed(child, SPAWN_STEP_SPEC, -r);
}

void spawn_ended(struct spawn *sp, struct child *child)
{
    launches_ended(&sp->launches, child->pid);
    if (child->slot)
        slot_give(&sp->slots, child->slot);
    child->slot = NULL;
}
