/* SPDX-License-Identifier: MIT */
#include "daemon/pulse.h"

#include "base/clock.h"
#include "base/defs.h"

static void pulse_answered(struct store_op *op)
{
    struct pulse *p = container_of(op, struct pulse, op);
    store_rows_free(op);
    p->asked = false;
    if (p->told)
        log_notice(p->log, "the disk of the state directory answers again");
    p->told = false;
}

static void pulse_ask(struct pulse *p)
{
    p->asked = true;
    p->since_ns = clock_awake();
    p->commits = store_commits(p->store);
    p->op = (struct store_op){.verb = STORE_GET, .id = 0, .done = pulse_answered};
    store_queue(p->store, &p->op); /* there is no task 0, which is an answer too */
}

bool pulse_beats(struct pulse *p)
{
    if (!p->store)
        return true;
    if (!p->asked) {
        pulse_ask(p);
        return true;
    }
    uint64_t commits = store_commits(p->store);
    uint64_t now = clock_awake();
    if (commits != p->commits)
        p->since_ns = now;
    p->commits = commits;
    if (now - p->since_ns < p->patience_ns)
        return true;
    if (!p->told)
        log_error(p->log,
                  "the disk of the state directory has not answered for %llu s: systemd's "
                  "watchdog is left to end this process",
                  (unsigned long long)((now - p->since_ns) / NSEC_PER_SEC));
    p->told = true;
    return false;
}
