/* SPDX-License-Identifier: MIT */
#include "daemon/control/summary.h"

#include "base/clock.h"
#include "daemon/control/control.h"
#include "daemon/tasks/view.h"

void summary_counts(const struct call *call, struct buf *b)
{
    uint64_t live[TASK_STATES] = {0};
    struct store_counts finished = {0};
    list_for_each (it, &call->control->tasks->users) {
        const struct user *user = container_of(it, struct user, node);
        if (!call_may_see(call, user->uid))
            continue;
        for (int state = 0; state < TASK_STATES; state++)
            live[state] += user->live[state];
        finished.ok += user->finished.ok;
        finished.failed += user->finished.failed;
        finished.cancelled += user->finished.cancelled;
    }
    pack_map(b, 6);
    pack_text(b, "pending");
    pack_uint(b, live[TASK_PENDING]);
    pack_text(b, "running");
    pack_uint(b, live[TASK_RUNNING]);
    pack_text(b, "suspended");
    pack_uint(b, live[TASK_SUSPENDED]);
    pack_text(b, "ok");
    pack_uint(b, finished.ok);
    pack_text(b, "failed");
    pack_uint(b, finished.failed);
    pack_text(b, "cancelled");
    pack_uint(b, finished.cancelled);
}

void summary_groups(const struct call *call, struct buf *b)
{
    const struct groups *groups = &call->control->tasks->groups;
    pack_array(b, groups->count);
    list_for_each (it, &groups->all)
        view_group(b, container_of(it, struct group, node), false);
}

static void summary_loop(const struct call *call, struct buf *b)
{
    const struct control *control = call->control;
    uint64_t up = clock_awake() - control->started_ns;
    pack_map(b, 3);
    pack_text(b, "busy");
    pack_double(b, up ? (double)control->tasks->sched->run_ns / (double)up : 0);
    pack_text(b, "up_s");
    pack_double(b, (double)up / (double)NSEC_PER_SEC);
    pack_text(b, "owner");
    pack_uint(b, control->owner_uid);
}

void summary_pack(const struct call *call, struct buf *b, struct pack_map_place *map)
{
    pack_key(b, map, "counts");
    summary_counts(call, b);
    pack_key(b, map, "groups");
    summary_groups(call, b);
    pack_key(b, map, "loop");
    summary_loop(call, b);
}
