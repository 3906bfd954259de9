/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/group.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/tasks/line.h"
#include "daemon/tasks/watch.h"

const char group_default[] = "default";

void groups_init(struct groups *g, struct aio_sched *sched, struct watchers *watchers,
                 uint32_t fallback)
{
    *g = (struct groups){.sched = sched, .watchers = watchers, .fallback = fallback};
    list_init(&g->all);
}

static void group_free(struct groups *g, struct group *group)
{
    list_remove(&group->node);
    g->count--;
    free(group->name);
    free(group);
}

void groups_done(struct groups *g)
{
    list_for_each_safe (it, &g->all)
        group_free(g, container_of(it, struct group, node));
}

struct group *groups_find(struct groups *g, const char *name)
{
    list_for_each (it, &g->all) {
        struct group *group = container_of(it, struct group, node);
        if (strcmp(group->name, name) == 0)
            return group;
    }
    return NULL;
}

/* ---- how many slots ---- */

static bool group_is_default(const struct group *group)
{
    return strcmp(group->name, group_default) == 0;
}

static void group_settle(struct groups *g, struct group *group)
{
    if (group->set_slots)
        group->limit = group->set_slots;
    else if (group->file_slots)
        group->limit = group->file_slots;
    else if (group_is_default(group))
        group->limit = g->fallback;
    line_hand_out(group);
}

struct group *groups_get(struct groups *g, const char *name)
{
    struct group *group = groups_find(g, name);
    if (group)
        return group;
    group = calloc(1, sizeof(*group));
    if (!group || !(group->name = strdup(name))) {
        free(group);
        return NULL;
    }
    group->groups = g;
    group->filling = true;
    list_init(&group->lanes);
    list_push_back(&g->all, &group->node);
    g->count++;
    group->limit = g->fallback;
    group_settle(g, group);
    return group;
}

const char *group_from(const struct group *group)
{
    if (group->set_slots)
        return "command";
    if (group->file_slots)
        return "file";
    return group_is_default(group) ? "default" : "task";
}

bool group_is_open(const struct group *group)
{
    return !group->leaving &&
           (group->set_slots || group->file_slots || group_is_default(group));
}

/* ---- what changes ---- */

/* A pause is kept although nobody says how many slots. */
static bool group_is_idle(const struct group *group)
{
    return !group->tasks && !group->paused && !group_is_open(group) && !group->leaving;
}

static void group_tell(struct groups *g, struct group *group)
{
    const char *from = group_from(group);
    if (group->told_limit == group->limit && group->told_paused == group->paused &&
        group->told_from == from)
        return;
    group->told_limit = group->limit;
    group->told_paused = group->paused;
    group->told_from = from;
    watch_tell_group(g->watchers, group, false);
}

void group_sweep(struct groups *g, struct group *group)
{
    if (!group_is_idle(group)) {
        group_settle(g, group);
        group_tell(g, group);
        return;
    }
    if (group->told_limit)
        watch_tell_group(g->watchers, group, true);
    group_free(g, group);
}

void groups_sweep(struct groups *g)
{
    list_for_each_safe (it, &g->all)
        group_sweep(g, container_of(it, struct group, node));
}

/* ---- the configuration ---- */

void groups_file_begin(struct groups *g)
{
    list_for_each (it, &g->all)
        container_of(it, struct group, node)->file_slots = 0;
}

struct group *groups_set(struct groups *g, const char *name, uint32_t slots)
{
    struct group *group = groups_get(g, name);
    if (!group)
        return NULL;
    group->file_slots = slots;
    group_settle(g, group);
    return group;
}

/* ---- commands ---- */

struct group *groups_command(struct groups *g, const struct store_group *said)
{
    struct group *group = groups_get(g, said->name);
    if (!group)
        return NULL;
    if (said->slots)
        group->set_slots = said->slots;
    if (said->paused >= 0)
        group->paused = said->paused;
    group_settle(g, group);
    return group;
}

void group_command_forget(struct groups *g, struct group *group)
{
    group->set_slots = 0;
    group->paused = false;
    group->leaving = false;
    group_settle(g, group);
}
