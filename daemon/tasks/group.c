/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/group.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "daemon/tasks/record.h"

void groups_init(struct groups *g, struct aio_sched *sched)
{
    *g = (struct groups){.sched = sched};
    list_init(&g->all);
}

void groups_done(struct groups *g)
{
    list_for_each_safe (it, &g->all) {
        struct group *group = container_of(it, struct group, node);
        list_remove(&group->node);
        free(group->name);
        free(group);
    }
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

static struct group *group_new(struct groups *g, const char *name)
{
    struct group *group = calloc(1, sizeof(*group));
    if (!group || !(group->name = strdup(name))) {
        free(group);
        return NULL;
    }
    aio_semaphore_init(&group->places, g->sched, 0);
    aio_semaphore_init(&group->slots, g->sched, 0);
    list_init(&group->line);
    list_push_back(&g->all, &group->node);
    return group;
}

struct group *groups_set(struct groups *g, const char *name, uint32_t slots)
{
    struct group *group = groups_find(g, name);
    if (!group)
        group = group_new(g, name);
    if (!group)
        return NULL;
    aio_semaphore_resize(&group->places, slots + LIMIT_AHEAD);
    aio_semaphore_resize(&group->slots, slots);
    return group;
}

void group_join(struct task *t)
{
    list_push_back(&t->group->line, &t->in_group);
    t->group->waiting++;
}

void group_leave(struct task *t)
{
    if (list_empty(&t->in_group))
        return;
    list_remove(&t->in_group);
    t->group->waiting--;
}

void group_seize(struct group *group, struct task *t)
{
    group->places.held++;
    group->slots.held++;
    t->has_place = true;
    t->has_slot = true;
}

void group_release(struct task *t)
{
    if (t->has_slot)
        aio_semaphore_release(&t->group->slots);
    if (t->has_place)
        aio_semaphore_release(&t->group->places);
    t->has_slot = false;
    t->has_place = false;
}

uint32_t group_position(const struct group *group, const struct task *t, uint32_t limit)
{
    uint32_t position = 0;
    list_for_each (it, &group->line) {
        if (++position > limit)
            return 0;
        if (it == &t->in_group)
            return position;
    }
    return 0;
}
