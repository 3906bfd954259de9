/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * server - the spawner: an epoll loop, one connection that counts, and the children.
 *
 * In time order: open takes the lock, the socket and what the last spawner left; run serves.
 * A connection is a peer (peers.c) until its HELLO makes it `aiod`; its records are requests
 * (requests.c); a child's end comes through its pidfd. What is to be said goes through the
 * outbox and waits there while the socket is full. It suspends in epoll_wait alone. It ends by
 * a signal (stop.c) or, with exit_when_idle, when there is neither connection nor child.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/spawner/children.h"
#include "daemon/spawner/grace.h"
#include "daemon/spawner/listener.h"
#include "daemon/spawner/outbox.h"
#include "daemon/spawner/process.h"
#include "daemon/spawner/record.h"
#include "daemon/spawner/source.h"
#include "daemon/spawner/spawn.h"

enum {
    SERVER_PEERS = 9,          /* connections at once: aiod's, and 8 that have not said HELLO */
    SERVER_EVENTS = 32,        /* of one epoll_wait */
    SERVER_READ_MAX = 64,      /* records of one connection before others have their turn */
    SERVER_IDLE_MS = 1000,     /* without connection and child, with exit_when_idle */
    SERVER_LONELY_MS = 10000,  /* the same, while nobody has connected yet */
    SERVER_RETRY_MS = 1000,    /* after accept or epoll_ctl had no descriptor or memory */
    SERVER_KILL_WAIT_MS = 5000 /* for processes to end that were sent SIGKILL */
};

struct server_config {
    const char *socket;    /* borrowed */
    const char *state_dir; /* borrowed; NULL: the socket's directory */
    uint32_t peer_uid;
    uint32_t grace_ms; /* between SIGTERM and SIGKILL when it is stopped */
    bool exit_when_idle;
    int ready_fd; /* written to and closed when it listens; -1 */
};

struct peer {
    struct source source;
    int fd;        /* owned; -1: a free place */
    int pid;       /* for logs */
    uint64_t turn; /* of its accept: the oldest goes first */
};

struct revive {
    int fd;      /* owned: inotify; -1 */
    uint64_t at; /* clock_awake: look then; 0: there is no reason to */
    bool told;   /* that it cannot be made again */
    bool lost;   /* with the directory went the state of the instance that is served */
};

enum server_phase { SERVER_SERVES, SERVER_TERM, SERVER_KILL, SERVER_OVER };

struct server {
    const struct server_config *config; /* borrowed */
    struct logger log;
    struct process process;
    struct listener listener;
    struct spawn spawn;
    int epfd;     /* owned */
    int statedir; /* owned */
    struct source listening;
    struct source signals;
    struct source reviving;
    struct peer peers[SERVER_PEERS];
    struct peer *aiod;  /* the one whose HELLO was accepted last; NULL */
    bool blocked;       /* its socket is full: EPOLLOUT is awaited */
    bool was_connected; /* somebody has come once */
    uint64_t turns;     /* connections accepted */
    uint8_t id[RECORD_UUID_BYTES];
    uint8_t instance[RECORD_UUID_BYTES]; /* of the last HELLO that was accepted */
    struct children children;
    struct outbox outbox;
    struct grace grace;
    struct revive revive;
    size_t unwatched; /* running children that epoll had no room for */
    enum server_phase phase;
    uint64_t phase_ends; /* clock_awake of the phase's deadline */
    uint64_t idle_since; /* clock_awake; 0: not idle */
    uint64_t retry_at;   /* clock_awake; 0: nothing to retry */
};

/* 0; -EBUSY: another serves this socket; or a negative errno; with a sentence. server_close is
 * needed in every case. */
int server_open(struct server *s, const struct server_config *config, struct err *err);
/* Serves until it is over. 0 or a negative errno with a sentence. */
int server_run(struct server *s, struct err *err);
void server_close(struct server *s);

/* ---- between server.c, peers.c, requests.c, revive.c and stop.c ---- */

/* Adds or changes what is awaited of a descriptor: op is EPOLL_CTL_ADD or _MOD. */
int server_watch(struct server *s, int op, int fd, uint32_t events, struct source *source);
/* Awaits the end of a child's process; tries again later if epoll has no room. */
void server_watch_child(struct server *s, struct child *child);
/* Sends what is owed as far as it goes. */
void server_flush(struct server *s);
void server_forget(struct server *s, struct child *child); /* removes it for good */
/* The same of one that has ended and is released, as soon as its group needs it no more. */
void server_release(struct server *s, struct child *child);
/* Ends the grace of what has no more of it now; with UINT64_MAX of all. */
void server_grace(struct server *s, uint64_t now);
void server_retry_later(struct server *s);

void peers_accept(struct server *s);
void peers_event(struct server *s, struct peer *peer);
void peers_drop(struct server *s, struct peer *peer);
/* Takes what aiod has sent and was not read yet, and drops the connection: before the end, so
 * that no SPAWN is left of which nobody could tell that it never started. */
void peers_drain(struct server *s);
bool peers_any(const struct server *s);

/* A record of aiod's. 0; -EPROTO: it is not as it must be; -ENOMEM: it cannot be remembered.
 * The descriptors stay the caller's; cut: some were lost because there were no descriptors
 * free. */
int request_take(struct server *s, const struct record *rec, const int *fds, unsigned nfds,
                 bool cut);

void revive_open(struct server *s); /* watches the socket, as far as that goes */
void revive_close(struct server *s);
void revive_event(struct server *s);               /* something may have happened to it */
void revive_check(struct server *s, uint64_t now); /* looks when it is time */
/* Of an instance whose state was removed: releases all that is its, as it cannot come back for it.
 * False: its state is there. */
bool revive_disown(struct server *s);

void stop_signal(struct server *s);              /* a SIGTERM or SIGINT came */
void stop_check(struct server *s, uint64_t now); /* goes to the next phase when it is time */
