/* SPDX-License-Identifier: MIT */
/*
 * stop - how the spawner ends by a signal.
 *
 *     SERVES --signal--> TERM --grace or a second signal--> KILL --wait--> OVER
 *
 * TERM and KILL are sent to the group of every command that runs; as soon as none does it is
 * over: what is left of their groups then has no more grace. aiod is served meanwhile: it takes
 * the outcomes as they come, and what it has not released goes into the exits file.
 */
#include <signal.h>

#include "base/clock.h"
#include "daemon/spawner/notify.h"
#include "daemon/spawner/server.h"

static void stop_send(struct server *s, int signo)
{
    list_for_each (node, &s->children.all) {
        struct child *child = container_of(node, struct child, all);
        if (!child_runs(child))
            continue;
        child_signal(child, signo);
        if (signo == SIGTERM) {
            child_signal(child, SIGCONT); /* one that is stopped would not notice */
            grace_start(&s->grace, child, s->phase_ends);
        }
    }
}

static void stop_phase(struct server *s, enum server_phase phase, uint64_t ms)
{
    s->phase = phase;
    s->phase_ends = clock_awake() + ms * NSEC_PER_MSEC;
}

void stop_signal(struct server *s)
{
    if (s->phase == SERVER_SERVES) {
        log_info(&s->log, "stopping; %zu commands run", s->children.running);
        notify_send("STOPPING=1");
        stop_phase(s, SERVER_TERM, s->config->grace_ms);
        stop_send(s, SIGTERM);
    } else if (s->phase == SERVER_TERM) {
        s->phase_ends = clock_awake();
    }
}

static void stop_over(struct server *s)
{
    peers_drain(s);
    server_grace(s, UINT64_MAX);
    s->phase = SERVER_OVER;
}

void stop_check(struct server *s, uint64_t now)
{
    if (s->phase == SERVER_SERVES)
        return;
    if (s->children.running == 0) {
        stop_over(s);
    } else if (s->phase == SERVER_TERM && now >= s->phase_ends) {
        log_notice(&s->log, "killing %zu commands", s->children.running);
        stop_phase(s, SERVER_KILL, SERVER_KILL_WAIT_MS);
        stop_send(s, SIGKILL);
    } else if (s->phase == SERVER_KILL && now >= s->phase_ends) {
        log_error(&s->log, "%zu commands did not end", s->children.running);
        stop_over(s);
    }
}
