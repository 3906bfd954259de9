/* SPDX-License-Identifier: MIT */
/*
 * requests - what aiod asks for: LIST, SPAWN, SIGNAL, RELEASE.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/spawner/exits.h"
#include "daemon/spawner/server.h"

static const uint8_t request_no_token[RECORD_TOKEN_BYTES];

static void request_start(struct server *s, struct child *child, const struct record *rec,
                          const int *fds, bool cut)
{
    if (s->phase != SERVER_SERVES)
        child_set_failed(child, SPAWN_STEP_FORK, ESHUTDOWN);
    else if (cut)
        child_set_failed(child, SPAWN_STEP_FDS, EMFILE);
    else
        spawn_child(&s->spawn, child, rec, fds);
    if (!child_runs(child))
        return;
    s->children.running++;
    server_watch_child(s, child);
}

static int request_spawn(struct server *s, const struct record *rec, const int *fds,
                         unsigned nfds, bool cut)
{
    unsigned expected = rec->spawn.flags & SPAWN_MERGE ? 2 : 3;
    if ((rec->spawn.flags & ~(uint32_t)SPAWN_MERGE) || (nfds != expected && !cut) ||
        memcmp(rec->token, request_no_token, RECORD_TOKEN_BYTES) == 0)
        return -EPROTO;
    struct child *child = children_find(&s->children, rec->token);
    if (!child) {
        child = children_add(&s->children, rec->token, s->instance);
        if (!child) {
            /* Closing is the honest answer: the token will be unknown to LIST. */
            log_error(&s->log, "task %llu: no memory", (unsigned long long)rec->spawn.task);
            return -ENOMEM;
        }
        request_start(s, child, rec, fds, cut);
    }
    outbox_owe(&s->outbox, child, true);
    return 0;
}

static int request_signal(struct server *s, const struct record *rec)
{
    if (rec->signal.signo < 1 || rec->signal.signo > SIGRTMAX)
        return -EPROTO;
    struct child *child = children_find(&s->children, rec->token);
    if (!child)
        return 0;
    child_signal(child, rec->signal.signo);
    uint64_t grace = rec->signal.grace_ms * NSEC_PER_MSEC;
    if (rec->signal.signo != SIGKILL && grace)
        grace_start(&s->grace, child, clock_awake() + grace);
    else if (rec->signal.signo == SIGKILL && grace_stop(&s->grace, child))
        server_forget(s, child);
    return 0;
}

static void request_release(struct server *s, const struct record *rec)
{
    struct child *child = children_find(&s->children, rec->token);
    if (!child)
        return;
    if (child_runs(child)) {
        child->released = true;
        return;
    }
    bool last = child->left && s->children.left == 1;
    server_release(s, child);
    struct err err = ERR_INIT;
    /* All that the file has is released; outcomes of now are written when the spawner ends. */
    if (last && exits_remove(s->statedir, &err) < 0)
        log_error(&s->log, "%s", err.msg);
}

int request_take(struct server *s, const struct record *rec, const int *fds, unsigned nfds,
                 bool cut)
{
    int r = 0;
    if (rec->type != RECORD_SPAWN && (nfds || cut))
        return -EPROTO;
    switch (rec->type) {
    case RECORD_LIST:
        outbox_owe_list(&s->outbox, &s->children, s->instance);
        break;
    case RECORD_SPAWN:
        r = request_spawn(s, rec, fds, nfds, cut);
        break;
    case RECORD_SIGNAL:
        r = request_signal(s, rec);
        break;
    case RECORD_RELEASE:
        request_release(s, rec);
        break;
    default:
        r = -EPROTO;
        break;
    }
    server_flush(s);
    return r;
}
