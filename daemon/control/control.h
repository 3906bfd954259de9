/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * control - the control socket: listeners, their connections, and what they may use.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/log.h"
#include "daemon/aio/semaphore.h"
#include "daemon/control/rounds.h"
#include "daemon/tasks/tasks.h"
#include "proto/pack.h"

struct peer;

struct control {
    struct aio_loop *loop; /* borrowed, as all that follow */
    struct tasks *tasks;
    struct logger *log;
    struct list listeners;               /* of listener.node; owned: see listener_new */
    struct list connections;             /* of connection.node; owned */
    struct rounds rounds;                /* whose request is started next */
    uint32_t count;                      /* of connections */
    size_t backlog;                      /* bytes that their clients have not taken */
    struct aio_semaphore group_commands; /* one at a time: each builds on the last one */
    uint32_t owner_uid;                  /* of the instance */
    bool system;                         /* serves every user, not only its owner */
    bool stopping;                       /* no new requests */
    const char *socket_path;
    uint64_t started_ns;     /* awake clock */
    const uint8_t *instance; /* uuid, 16 bytes */
    /* May this instance run commands of that user? 0, or -EACCES with a sentence. */
    int (*may_run)(void *ctx, uint32_t uid, struct err *);
    /* Adds what health shows of the store and the spawner. */
    void (*health)(void *ctx, struct buf *, struct pack_map_place *);
    void *ctx;
    void (*closed)(void *ctx); /* after control_stop: everything is closed */
};

void control_init(struct control *); /* the borrowed members are set */
void control_done(struct control *); /* after everything is closed */
/* Refuses new connections and requests, cancels those that wait, sends what is left to send and
 * closes; `closed` is called when all is gone. */
void control_stop(struct control *);
/* The same without any patience: what has not been sent is dropped. */
void control_abort(struct control *);
