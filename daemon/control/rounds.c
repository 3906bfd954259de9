/* SPDX-License-Identifier: MIT */
#include "daemon/control/rounds.h"

#include "base/defs.h"

enum { ROUNDS_SMOOTH = 8 }; /* a guess moves by this part of the difference */

static struct rounds_account *rounds_account_of(const struct heap_node *node)
{
    return container_of(node, struct rounds_account, node);
}

static bool rounds_less(const struct heap_node *a, const struct heap_node *b)
{
    const struct rounds_account *x = rounds_account_of(a), *y = rounds_account_of(b);
    if (x->used_ns != y->used_ns)
        return x->used_ns < y->used_ns;
    return x->seq < y->seq;
}

/* What is owed, onto the account, which never falls behind those who are served. */
static void rounds_book(struct rounds *r, struct rounds_account *a)
{
    if (a->used_ns < r->used_ns)
        a->used_ns = r->used_ns;
    if (a->owed_ns <= 0)
        return; /* too much was charged: that much is free from now on */
    a->used_ns += (uint64_t)a->owed_ns;
    a->owed_ns = 0;
}

/* ---- waiting ---- */

void rounds_account_init(struct rounds_account *a)
{
    *a = (struct rounds_account){.owed_ns = 0};
    list_init(&a->held);
}

bool rounds_waits(const struct rounds_account *a)
{
    return heap_node_queued(&a->node) || !list_empty(&a->held);
}

int rounds_wait(struct rounds *r, struct rounds_account *a)
{
    if (rounds_waits(a))
        return 0;
    rounds_book(r, a);
    a->seq = ++r->seq;
    int err = heap_push(&r->waiting, &a->node);
    if (err == 0)
        aio_call_soon(r->sched, &r->turn);
    return err;
}

/* One that gets no timer for want of memory waits for the next turn instead. */
static int rounds_hold(struct rounds *r, struct rounds_account *a)
{
    if (list_empty(&r->held) &&
        aio_call_at(r->sched, &r->again, AIO_AWAKE, r->clock() + ROUNDS_HOLD_NS) < 0)
        return rounds_wait(r, a);
    list_push_back(&r->held, &a->held);
    return 0;
}

static void rounds_again(struct aio_handle *handle)
{
    struct aio_timer *timer = container_of(handle, struct aio_timer, handle);
    struct rounds *r = container_of(timer, struct rounds, again);
    struct list *node;
    while ((node = list_pop_front(&r->held)))
        if (rounds_wait(r, container_of(node, struct rounds_account, held)) < 0)
            break; /* the rest waits for the next one that is held */
}

void rounds_leave(struct rounds *r, struct rounds_account *a)
{
    heap_remove(&r->waiting, &a->node);
    list_remove(&a->held);
    if (list_empty(&r->held))
        aio_timer_cancel(r->sched, &r->again);
}

/* ---- serving ---- */

static void rounds_new_turn(struct rounds *r)
{
    r->turn_at_ns = r->sched->now.ns[AIO_AWAKE];
    r->left_ns = ROUNDS_TURN_NS;
    r->left = ROUNDS_TURN_MAX;
}

static bool rounds_have_time(const struct rounds *r)
{
    return r->left_ns > 0 && r->left > 0;
}

/* One request of an account that does not wait. */
static enum rounds_served rounds_serve(struct rounds *r, struct rounds_account *a)
{
    uint64_t before = r->clock();
    if (a->used_ns > r->used_ns)
        r->used_ns = a->used_ns;
    enum rounds_served served = r->serve(a);
    uint64_t took = r->clock() - before;
    rounds_owe(a, took);
    r->left_ns -= (int64_t)took;
    return served;
}

static int rounds_go_on(struct rounds *r, struct rounds_account *a, enum rounds_served served)
{
    return served == ROUNDS_MORE   ? rounds_wait(r, a)
           : served == ROUNDS_HOLD ? rounds_hold(r, a)
                                   : 0;
}

static void rounds_turn(struct aio_handle *handle)
{
    struct rounds *r = container_of(handle, struct rounds, turn);
    struct heap_node *node;
    rounds_new_turn(r);
    while (rounds_have_time(r) && (node = heap_peek(&r->waiting))) {
        struct rounds_account *a = rounds_account_of(node);
        heap_remove(&r->waiting, node);
        /* what it owes may put others before it; it can wait: it has just left room */
        rounds_go_on(r, a, a->owed_ns > 0 ? ROUNDS_MORE : rounds_serve(r, a));
    }
    if (heap_peek(&r->waiting))
        aio_call_soon(r->sched, &r->turn);
}

int rounds_enter(struct rounds *r, struct rounds_account *a)
{
    enum rounds_served served = ROUNDS_MORE;
    if (r->sched->now.ns[AIO_AWAKE] != r->turn_at_ns)
        rounds_new_turn(r);
    rounds_book(r, a);
    while (served == ROUNDS_MORE && rounds_have_time(r) && !heap_peek(&r->waiting))
        served = rounds_serve(r, a);
    return rounds_go_on(r, a, served);
}

/* ---- accounts ---- */

uint64_t rounds_charge(struct rounds *r, struct rounds_account *a, unsigned kind)
{
    uint64_t guess = r->guess_ns[kind];
    if (guess < a->guess_ns)
        guess = a->guess_ns;
    rounds_owe(a, guess);
    r->left_ns -= (int64_t)guess;
    r->left -= r->left > 0;
    return guess;
}

static uint64_t rounds_smooth(uint64_t guess, uint64_t took)
{
    return guess - guess / ROUNDS_SMOOTH + took / ROUNDS_SMOOTH;
}

void rounds_settle(struct rounds *r, struct rounds_account *a, unsigned kind,
                   uint64_t charged_ns, uint64_t took_ns)
{
    a->owed_ns += (int64_t)took_ns - (int64_t)charged_ns;
    a->guess_ns = a->guess_ns ? rounds_smooth(a->guess_ns, took_ns) : took_ns;
    r->guess_ns[kind] = rounds_smooth(r->guess_ns[kind], took_ns);
}

void rounds_owe(struct rounds_account *a, uint64_t took_ns)
{
    a->owed_ns += (int64_t)took_ns;
}

/* ---- life ---- */

void rounds_init(struct rounds *r)
{
    heap_init(&r->waiting, rounds_less);
    list_init(&r->held);
    aio_handle_init(&r->turn, rounds_turn);
    aio_timer_init(&r->again, rounds_again);
    for (size_t i = 0; i < ROUNDS_KINDS; i++)
        r->guess_ns[i] = ROUNDS_UNKNOWN_NS;
    r->used_ns = 0;
    r->seq = 0;
    r->turn_at_ns = UINT64_MAX;
    r->left_ns = 0;
    r->left = 0;
}

void rounds_done(struct rounds *r)
{
    aio_handle_cancel(r->sched, &r->turn);
    aio_timer_cancel(r->sched, &r->again);
    heap_done(&r->waiting);
}
