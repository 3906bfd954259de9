/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * client - aiod's end of the connection to the spawner.
 *
 * A descriptor, a `readable` to be called when it is, and a queue of SPAWNs: at most
 * LIMIT_SPAWNS_IN_FLIGHT are unanswered at a time, the rest wait here with their descriptors
 * open. Knows no loop: the owner polls the descriptor (POLLIN always, POLLOUT while
 * spawner_client_wants_write). No thread, no blocking call.
 *
 *     connect → HELLO → (welcome) → LIST → (listed)* → (list_end) → live:
 *     spawn, signal, release
 *
 * When the connection breaks, each SPAWN that still waited is reported `unsent`, then `lost` is
 * called once. Those that were sent are settled by the next LIST.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"
#include "daemon/spawner/record.h"

struct spawner_client;

/* What the owner is told; called from spawner_client_readable and _writable only, on the loop
 * thread. */
struct spawner_events {
    void (*welcome)(void *ctx, const struct record *); /* spawner id is known; LIST was sent */
    void (*list_end)(void *ctx);                       /* every LISTED has been reported */
    void (*started)(void *ctx, const struct record *); /* answers SPAWN or LIST */
    void (*failed)(void *ctx, const struct record *);
    void (*exited)(void *ctx, const struct record *);
    /* the connection broke before this SPAWN was sent: it certainly runs nowhere. Before lost.
     * May be NULL. */
    void (*unsent)(void *ctx, const uint8_t token[RECORD_TOKEN_BYTES]);
    void (*lost)(void *ctx, const struct err *); /* closed already; connect again */
};

struct spawner_client {
    const struct spawner_events *events; /* static */
    void *ctx;
    int fd;             /* owned; -1 while not connected */
    struct list queue;  /* private: of records to send, owned */
    unsigned queued;    /* private */
    unsigned in_flight; /* SPAWNs sent and not answered */
    uint8_t unanswered[LIMIT_SPAWNS_IN_FLIGHT][RECORD_TOKEN_BYTES]; /* private: of these */
    bool live; /* LIST_END came: spawn and signal are sent */
};

void spawner_client_init(struct spawner_client *, const struct spawner_events *, void *ctx);
/* Drops what was not sent yet; of each SPAWN `unsent` tells. */
void spawner_client_drop_queue(struct spawner_client *);
void spawner_client_done(struct spawner_client *); /* closes, drops the queue */

/* Connects (non-blocking, may be longer than sun_path: through /proc/self/fd) and sends HELLO.
 * 0, or a negative errno with a sentence (-ECONNREFUSED, -ENOENT: nobody there). */
int spawner_client_connect(struct spawner_client *, const char *path,
                           const uint8_t instance[RECORD_UUID_BYTES], struct err *);

/* Reads what there is, CLIENT_READ_MAX records at most (the loop is not to be held by it; a
 * level-triggered poll calls again). Callbacks may call anything here, but not free the client.
 */
void spawner_client_readable(struct spawner_client *);
void spawner_client_writable(struct spawner_client *); /* sends what waits */
bool spawner_client_wants_write(const struct spawner_client *);

enum { CLIENT_READ_MAX = 512 };

struct spawn_request {
    uint8_t token[RECORD_TOKEN_BYTES];
    uint64_t task;
    uint32_t attempt;
    uint32_t uid;
    uint32_t gid;
    int spec_fd; /* memfd; taken */
    int out_fd;  /* taken */
    int err_fd;  /* taken; -1: both streams into out_fd */
};
/* Queues a SPAWN; the descriptors are taken, also on failure. 0, -ENOTCONN or -ENOMEM. Records
 * leave in the order they were queued in, so that a SIGNAL never overtakes its SPAWN. */
int spawner_client_spawn(struct spawner_client *, const struct spawn_request *);
/* To its process group; with a grace SIGKILL to what is left of that so many ms later, also when
 * the command itself has ended and is released by then. 0, -ENOTCONN or -ENOMEM. */
int spawner_client_signal(struct spawner_client *, const uint8_t token[RECORD_TOKEN_BYTES],
                          int signo, uint32_t grace_ms);
int spawner_client_release(struct spawner_client *, const uint8_t token[RECORD_TOKEN_BYTES]);

/* A sentence for a FAILED record: "no such command: foo", "cwd /srv/x: No such file or
 * directory". command and cwd are what was asked for. Returns text. */
char *spawner_failure_text(char *text, size_t size, const struct record *, const char *command,
                           const char *cwd, const char *input);
