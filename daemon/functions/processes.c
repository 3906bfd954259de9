/* SPDX-License-Identifier: MIT */
#include "daemon/functions/processes.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct list *processes_bucket(struct processes *ps, const uint8_t *token)
{
    return &ps->buckets[(token[0] | (unsigned)token[1] << 8) % PROCESSES_BUCKETS];
}

static struct process *processes_find(struct processes *ps, const uint8_t *token)
{
    list_for_each (it, processes_bucket(ps, token)) {
        struct process *p = container_of(it, struct process, node);
        if (memcmp(p->token, token, sizeof(p->token)) == 0)
            return p;
    }
    return NULL;
}

/* ---- one process ---- */

struct process *process_new(struct processes *ps, const uint8_t token[RECORD_TOKEN_BYTES],
                            enum process_state state)
{
    struct process *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->processes = ps;
    p->state = state;
    p->same_boot = true;
    memcpy(p->token, token, sizeof(p->token));
    memcpy(p->spawner, ps->spawner, sizeof(p->spawner));
    aio_future_init(&p->changed, &ps->loop->sched, NULL);
    list_push_back(processes_bucket(ps, token), &p->node);
    ps->count++;
    return p;
}

/* Writes wait in the client's queue: the poll has to know. */
static void processes_poll(struct processes *ps)
{
    if (!ps->reader)
        return;
    int events = AIO_READABLE;
    if (spawner_client_wants_write(&ps->client))
        events |= AIO_WRITABLE;
    aio_reader_set(ps->reader, events);
}

void process_free(struct process *p, bool release)
{
    struct processes *ps = p->processes;
    bool known = p->state != PROCESS_UNSENT && p->state != PROCESS_LOST;
    if (release && known && ps->client.live) {
        spawner_client_release(&ps->client, p->token);
        processes_poll(ps);
    }
    orphan_free(p->orphan);
    aio_future_done(&p->changed);
    list_remove(&p->node);
    ps->count--;
    free(p);
}

int process_start(struct process *p, const struct spawn_request *request)
{
    struct processes *ps = p->processes;
    int r = spawner_client_spawn(&ps->client, request);
    if (r == 0) {
        p->state = PROCESS_SENT;
        memcpy(p->spawner, ps->spawner, sizeof(p->spawner)); /* who has to know the token */
    }
    processes_poll(ps);
    return r;
}

static void process_send_signal(struct process *p)
{
    struct processes *ps = p->processes;
    if (p->state == PROCESS_ORPHAN) {
        orphan_signal(p->orphan, p->signo);
    } else if ((p->state == PROCESS_STARTED || p->state == PROCESS_SENT) &&
               ps->client.fd >= 0) {
        spawner_client_signal(&ps->client, p->token, p->signo, p->grace_ms);
        processes_poll(ps);
    }
}

void process_signal(struct process *p, int signo)
{
    p->signo = signo;
    p->grace_ms = 0;
    process_send_signal(p);
}

void process_terminate(struct process *p, uint32_t grace_ms)
{
    p->signo = SIGTERM;
    p->grace_ms = grace_ms ? grace_ms : 1;
    process_send_signal(p);
}

struct aio_future *process_await(struct process *p)
{
    aio_future_done(&p->changed);
    aio_future_init(&p->changed, &p->processes->loop->sched, NULL);
    return &p->changed;
}

void process_wake(struct process *p)
{
    if (!aio_future_is_done(&p->changed))
        aio_future_set_result(&p->changed, NULL);
}

static void process_enter(struct process *p, enum process_state state)
{
    p->state = state;
    process_wake(p);
}

/* ---- what the spawner tells ---- */

static void processes_welcome(void *ctx, const struct record *record)
{
    struct processes *ps = ctx;
    memcpy(ps->spawner, record->welcome.spawner_id, sizeof(ps->spawner));
    ps->spawner_pid = record->welcome.pid;
    ps->spawner_uid = record->welcome.uid;
}

static void processes_started(void *ctx, const struct record *record)
{
    struct process *p = processes_find(ctx, record->token);
    bool news = p && (p->state == PROCESS_SENT || p->state == PROCESS_UNKNOWN);
    if (!news)
        return; /* LIST says it again of one that has ended since */
    p->pid = record->started.pid;
    p->start_ticks = record->started.start_ticks;
    p->started_ns = record->started.wall_ns;
    /* what happens to it from now on is this spawner's to tell */
    memcpy(p->spawner, p->processes->spawner, sizeof(p->spawner));
    /* a signal that was asked for before the connection broke may not have arrived */
    bool again = p->state == PROCESS_UNKNOWN && p->signo;
    process_enter(p, PROCESS_STARTED);
    if (again)
        process_send_signal(p);
}

/* An end that nobody waits for was recorded before a restart: the spawner may forget it. */
static void processes_ended(struct processes *ps, const struct record *record,
                            enum process_state state)
{
    struct process *p = processes_find(ps, record->token);
    if (!p) {
        if (!ps->stopping)
            spawner_client_release(&ps->client, record->token);
        return;
    }
    p->record = *record;
    process_enter(p, state);
}

/* A spawner that is told to stop starts nothing more: the command waits for the next one. */
static void processes_failed(void *ctx, const struct record *record)
{
    struct processes *ps = ctx;
    struct process *p = processes_find(ps, record->token);
    if (p && record->failed.step == SPAWN_STEP_FORK && record->failed.err == ESHUTDOWN) {
        ps->spawner_stopping = ps->client.live; /* in LIST it speaks of the spawner before */
        spawner_client_release(&ps->client, record->token);
        process_enter(p, PROCESS_UNSENT);
        return;
    }
    processes_ended(ctx, record, PROCESS_FAILED);
}

static void processes_exited(void *ctx, const struct record *record)
{
    processes_ended(ctx, record, PROCESS_EXITED);
}

static void processes_orphan_gone(void *ctx)
{
    process_enter(ctx, PROCESS_LOST);
}

/* The spawner does not know a token that may have been sent. */
static void processes_settle(struct processes *ps, struct process *p)
{
    if (memcmp(p->spawner, ps->spawner, sizeof(p->spawner)) == 0 && p->same_boot) {
        process_enter(p, PROCESS_UNSENT);
        return;
    }
    int r = -ESRCH;
    if (p->same_boot)
        r = orphan_watch(&p->orphan, ps->loop, p->pid, p->start_ticks, processes_orphan_gone,
                         p);
    process_enter(p, r == 0 ? PROCESS_ORPHAN : PROCESS_LOST);
    if (p->signo && p->orphan)
        process_send_signal(p);
}

static void processes_each(struct processes *ps,
                           void (*fn)(struct processes *, struct process *))
{
    for (size_t i = 0; i < PROCESSES_BUCKETS; i++)
        list_for_each_safe (it, &ps->buckets[i])
            fn(ps, container_of(it, struct process, node));
}

static void processes_list_end_one(struct processes *ps, struct process *p)
{
    if (p->state == PROCESS_UNKNOWN)
        processes_settle(ps, p);
    else if (p->state == PROCESS_UNSENT)
        process_wake(p);
}

static void processes_list_end(void *ctx)
{
    struct processes *ps = ctx;
    processes_each(ps, processes_list_end_one);
    ps->live(ps->ctx);
}

static void processes_doubt(struct processes *ps, struct process *p)
{
    (void)ps;
    if (p->state == PROCESS_SENT || p->state == PROCESS_STARTED)
        process_enter(p, PROCESS_UNKNOWN);
}

static void processes_unsent(void *ctx, const uint8_t token[RECORD_TOKEN_BYTES])
{
    struct process *p = processes_find(ctx, token);
    if (p && p->state == PROCESS_SENT)
        process_enter(p, PROCESS_UNSENT);
}

static void processes_lost(void *ctx, const struct err *err)
{
    struct processes *ps = ctx;
    ps->reader = aio_reader_free(ps->reader);
    ps->spawner_stopping = false;
    processes_each(ps, processes_doubt);
    ps->lost(ps->ctx, err);
}

static const struct spawner_events processes_events = {
    .welcome = processes_welcome,
    .list_end = processes_list_end,
    .started = processes_started,
    .failed = processes_failed,
    .exited = processes_exited,
    .unsent = processes_unsent,
    .lost = processes_lost,
};

/* ---- the connection ---- */

void processes_init(struct processes *ps, struct aio_loop *loop,
                    const uint8_t instance[RECORD_UUID_BYTES])
{
    *ps = (struct processes){.loop = loop};
    memcpy(ps->instance, instance, sizeof(ps->instance));
    for (size_t i = 0; i < PROCESSES_BUCKETS; i++)
        list_init(&ps->buckets[i]);
    aio_semaphore_init(&ps->starts, &loop->sched, LIMIT_SPAWNS_IN_FLIGHT);
    spawner_client_init(&ps->client, &processes_events, ps);
}

void processes_stop(struct processes *ps)
{
    ps->stopping = true;
    spawner_client_drop_queue(&ps->client);
    processes_poll(ps);
}

void processes_done(struct processes *ps)
{
    ps->reader = aio_reader_free(ps->reader);
    spawner_client_done(&ps->client);
}

static void processes_ready(void *ctx, int events)
{
    struct processes *ps = ctx;
    if (events & AIO_WRITABLE)
        spawner_client_writable(&ps->client);
    if (events & AIO_READABLE)
        spawner_client_readable(&ps->client);
    processes_poll(ps);
}

int processes_connect(struct processes *ps, const char *path, struct err *err)
{
    int r = spawner_client_connect(&ps->client, path, ps->instance, err);
    if (r < 0)
        return r;
    r = aio_reader_new(&ps->reader, ps->loop, ps->client.fd, AIO_READABLE | AIO_WRITABLE,
                       processes_ready, ps);
    if (r < 0) {
        spawner_client_done(&ps->client);
        return err_errno(err, r, "watching %s", path);
    }
    return 0;
}
