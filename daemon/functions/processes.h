/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * processes - every attempt that has or had a process, by token, as the spawner tells it.
 *
 * Owns the connection to the spawner. When it breaks, whoever keeps it (daemon/link.c) connects
 * again; then LIST settles every attempt, here and nowhere else:
 *
 *   the spawner knows the token                → EXITED, FAILED or STARTED, as it says
 *   it does not, and is the one of the attempt → UNSENT: it never started, send again
 *   another spawner, the same boot             → ORPHAN while the process lives, then LOST
 *   another boot                               → LOST
 *
 * Nothing here awaits: exec.c awaits process->changed and looks at process->state.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/aio/reader.h"
#include "daemon/aio/semaphore.h"
#include "daemon/functions/orphan.h"
#include "daemon/spawner/client.h"
#include "daemon/tasks/record.h"

enum process_state {
    PROCESS_UNSENT,  /* nothing was sent: start it */
    PROCESS_SENT,    /* SPAWN is on its way */
    PROCESS_STARTED, /* it runs */
    PROCESS_UNKNOWN, /* until LIST has told */
    PROCESS_ORPHAN,  /* it runs, its spawner died */
    PROCESS_EXITED,  /* end: record has status and usage */
    PROCESS_FAILED,  /* end: record has step and errno */
    PROCESS_LOST,    /* end: nobody can tell how */
};

struct processes;

struct process {
    struct list node;            /* in processes->buckets */
    struct processes *processes; /* borrowed */
    struct aio_future changed;   /* set when the state changes; prepared by process_await */
    struct orphan *orphan;       /* owned, in PROCESS_ORPHAN */
    struct record record;        /* EXITED or FAILED */
    uint64_t start_ticks;
    uint64_t started_ns;
    uint32_t pid;
    int signo;         /* the last one asked for, until it has ended; 0: none */
    uint32_t grace_ms; /* that goes with it */
    enum process_state state;
    uint8_t token[RECORD_TOKEN_BYTES];
    uint8_t spawner[RECORD_UUID_BYTES]; /* that the attempt was recorded with */
    bool same_boot;
};

enum { PROCESSES_BUCKETS = 1024 };

struct processes {
    struct aio_loop *loop; /* borrowed */
    struct spawner_client client;
    struct aio_reader *reader; /* owned; NULL while not connected */
    struct list
        buckets[PROCESSES_BUCKETS]; /* by the first bytes of the token, which is random */
    uint8_t instance[RECORD_UUID_BYTES];
    uint8_t spawner[RECORD_UUID_BYTES]; /* the last one that welcomed us; zero before */
    struct aio_semaphore starts; /* commands that are being started: each holds descriptors */
    uint32_t ahead; /* commands whose descriptors are open before they have their slot */
    uint32_t spawner_pid;
    uint32_t spawner_uid; /* 0: it may become any user */
    uint32_t count;
    bool stopping;         /* tasks are let go: an unknown token is not a settled one */
    bool spawner_stopping; /* it starts nothing more; the next one will */
    /* The connection is live (LIST settled everything), or was lost (err says why). */
    void (*live)(void *ctx);
    void (*lost)(void *ctx, const struct err *);
    void *ctx;
};

void processes_init(struct processes *, struct aio_loop *,
                    const uint8_t instance[RECORD_UUID_BYTES]);
/* Before tasks are let go: what waits to be sent is dropped (UNSENT), and an unknown token is not
 * released any more. */
void processes_stop(struct processes *);
void processes_done(struct processes *);
/* Connects to the spawner's socket. 0 (live or lost is called later), or a negative errno with
 * a sentence. */
int processes_connect(struct processes *, const char *path, struct err *);

/* A process of the task's attempt, owned by the table; NULL without memory. */
struct process *process_new(struct processes *, const uint8_t token[RECORD_TOKEN_BYTES],
                            enum process_state);
/* Forgets it; release: the spawner may forget it too. */
void process_free(struct process *, bool release);
/* Sends the SPAWN of an UNSENT process, descriptors taken. 0, -ENOTCONN (await a change) or
 * -ENOMEM. */
int process_start(struct process *, const struct spawn_request *);
/* Signals its group, at once or when it can be reached. */
void process_signal(struct process *, int signo);
/* The same with SIGTERM; and the spawner sends SIGKILL to what is left of the group after the
 * grace, also when the command itself has ended, and process_free was called, by then. */
void process_terminate(struct process *, uint32_t grace_ms);
/* The future that finishes at the next change of state; borrowed, for one await at a time. */
struct aio_future *process_await(struct process *);
/* Finishes that await though nothing changed: its owner's timer fired. */
void process_wake(struct process *);
/* Can it be started now? If not, await a change. */
static inline bool process_connected(const struct process *p)
{
    return p->processes->client.live && !p->processes->spawner_stopping;
}
