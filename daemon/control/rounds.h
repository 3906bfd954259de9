/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * rounds - whose request is started next.
 *
 * Start-time fair queuing by the loop's time: each connection has an account of what its requests
 * have cost the loop so far. Of those that have requests waiting, the one with the lowest account
 * is served, one request at a time, until a turn's worth is started; the rest waits for the next
 * turn. So however many requests some connections send, and however long each takes, one that
 * sends little is served in the next turn. A request is charged with what such requests took
 * before, and settled when its end shows what it took itself. Who was away meanwhile has saved
 * nothing: an account begins where that of the one who is served stands.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "daemon/aio/sched.h"

enum {
    ROUNDS_TURN_NS = 1000000,   /* started in one turn: what others wait for it, at least */
    ROUNDS_TURN_MAX = 64,       /* and so many at most: guesses may be wrong */
    ROUNDS_HOLD_NS = 2000000,   /* how long a held account waits */
    ROUNDS_UNKNOWN_NS = 100000, /* what a kind of request costs that was never seen */
    ROUNDS_KINDS = 32,          /* of requests: methods */
};

/* Embedded in a connection; zeroed at first. */
struct rounds_account {
    struct heap_node node; /* private: in rounds->waiting */
    struct list held;      /* private: in rounds->held */
    uint64_t used_ns;      /* what it was charged with; comparable with others' */
    uint64_t seq;          /* private: equal ones are served in the order of waiting */
    uint64_t guess_ns;     /* what one of its requests is likely to take */
    int64_t owed_ns;       /* not charged yet */
};

enum rounds_served {
    ROUNDS_NONE, /* nothing waits that may be started now */
    ROUNDS_MORE, /* one was started; there may be more */
    ROUNDS_HOLD, /* one waits, and none may be started for a moment: others go first */
};

struct rounds {
    /* Starts the next request of an account. It may close and forget any account but free none. */
    enum rounds_served (*serve)(struct rounds_account *);
    uint64_t (*clock)(void); /* nanoseconds: clock_awake */
    struct aio_sched *sched; /* borrowed */
    /* private */
    struct heap waiting;
    struct list held;       /* of rounds_account.held */
    struct aio_handle turn; /* serves once a turn while somebody waits */
    struct aio_timer again; /* ends the wait of those that are held */
    uint64_t seq;
    uint64_t used_ns;                /* the account of who was served last */
    uint64_t guess_ns[ROUNDS_KINDS]; /* over all accounts */
    uint64_t turn_at_ns;             /* the turn that `left_ns` is of */
    int64_t left_ns;                 /* what may still be started in it: time, … */
    unsigned left;                   /* … and requests */
};

void rounds_init(struct rounds *); /* the first members are set */
void rounds_done(struct rounds *);

void rounds_account_init(struct rounds_account *);
/* Requests of it have come: starts them at once if nobody else waits, as far as the turn goes;
 * else, and with what is left of them, it waits. 0 or -ENOMEM: it is not waiting. */
int rounds_enter(struct rounds *, struct rounds_account *);
/* Waits for the next turn. 0 or -ENOMEM. */
int rounds_wait(struct rounds *, struct rounds_account *);
/* It waits no more; also for one that does not. */
void rounds_leave(struct rounds *, struct rounds_account *);
bool rounds_waits(const struct rounds_account *); /* or is held */

/* A request was started: returns what it is charged with. */
uint64_t rounds_charge(struct rounds *, struct rounds_account *, unsigned kind);
/* It has ended, and took so long. */
void rounds_settle(struct rounds *, struct rounds_account *, unsigned kind, uint64_t charged_ns,
                   uint64_t took_ns);
/* Anything else that was done for it took so long. */
void rounds_owe(struct rounds_account *, uint64_t took_ns);
