/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/grace.h"

#include <signal.h>

#include "base/clock.h"
#include "daemon/spawner/children.h"
#include "daemon/spawner/groups.h"

static struct child *grace_child(const struct heap_node *node)
{
    return container_of(node, struct child, grace);
}

static bool grace_less(const struct heap_node *a, const struct heap_node *b)
{
    return grace_child(a)->kill_at < grace_child(b)->kill_at;
}

void grace_init(struct grace *g)
{
    *g = (struct grace){.look_at = UINT64_MAX};
    heap_init(&g->waiting, grace_less);
    list_init(&g->held);
    list_init(&g->over);
}

void grace_done(struct grace *g)
{
    heap_done(&g->waiting);
}

void grace_start(struct grace *g, struct child *child, uint64_t when)
{
    if (child->pidfd < 0 || (heap_node_queued(&child->grace) && child->kill_at <= when))
        return;
    heap_remove(&g->waiting, &child->grace);
    child->kill_at = when;
    if (heap_push(&g->waiting, &child->grace) < 0)
        child_signal(child, SIGKILL);
}

/* The next look is so many milliseconds away, but not so soon that there is nothing else. */
static void grace_look_in(struct grace *g, uint64_t now, uint64_t ms)
{
    uint64_t wait = ms * NSEC_PER_MSEC;
    if (wait < GRACE_LOOK_SHARE * g->look_took)
        wait = GRACE_LOOK_SHARE * g->look_took;
    g->look_ms = ms;
    g->look_at = now + wait;
}

bool grace_hold(struct grace *g, struct child *child, uint64_t now)
{
    if (!heap_node_queued(&child->grace))
        return false;
    if (child->held)
        return true;
    if (g->nheld == GRACE_HELD_MAX) {
        child_signal(child, SIGKILL);
        return false;
    }
    child->held = true;
    list_push_back(&g->held, &child->holding);
    g->nheld++;
    if (g->look_at == UINT64_MAX || g->look_ms > GRACE_LOOK_MS)
        grace_look_in(g, now, GRACE_LOOK_MS);
    return true;
}

bool grace_stop(struct grace *g, struct child *child)
{
    bool held = child->held;
    heap_remove(&g->waiting, &child->grace);
    list_remove(&child->holding);
    g->nheld -= held;
    child->held = false;
    if (g->nheld == 0)
        g->look_at = UINT64_MAX;
    return held;
}

uint64_t grace_next(const struct grace *g)
{
    const struct heap_node *first = heap_peek(&g->waiting);
    uint64_t kill_at = first ? grace_child(first)->kill_at : UINT64_MAX;
    return kill_at < g->look_at ? kill_at : g->look_at;
}

static void grace_see(void *ctx, pid_t group)
{
    struct grace *g = ctx;
    list_for_each (node, &g->held) {
        struct child *child = container_of(node, struct child, holding);
        if (child->pid == group)
            child->peopled = true;
    }
}

static void grace_look(struct grace *g, uint64_t now)
{
    list_for_each (node, &g->held)
        container_of(node, struct child, holding)->peopled = false;
    int r = groups_read(grace_see, g);
    list_for_each_safe (node, &g->held) {
        if (r < 0 || container_of(node, struct child, holding)->peopled)
            continue;
        list_remove(node);
        list_push_back(&g->over, node);
    }
    g->look_took = clock_awake() - now;
    uint64_t ms = g->look_ms * 2 > GRACE_LOOK_MAX_MS ? GRACE_LOOK_MAX_MS : g->look_ms * 2;
    grace_look_in(g, now + g->look_took, ms);
}

static void grace_kill(struct grace *g, uint64_t now)
{
    const struct heap_node *first;
    while ((first = heap_peek(&g->waiting)) && grace_child(first)->kill_at <= now) {
        struct child *child = grace_child(first);
        child_signal(child, SIGKILL);
        heap_remove(&g->waiting, &child->grace);
        if (!child->held)
            continue;
        list_remove(&child->holding);
        list_push_back(&g->over, &child->holding);
    }
}

struct child *grace_pass(struct grace *g, uint64_t now)
{
    grace_kill(g, now);
    if (!list_empty(&g->held) && g->look_at <= now)
        grace_look(g, now);
    return list_empty(&g->over) ? NULL : container_of(g->over.next, struct child, holding);
}
