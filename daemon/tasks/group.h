/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * group - tasks that share so many slots (line.h: who gets one next).
 *
 * How many slots a group has is said by a command, else by the configuration file; `default`,
 * which is always there, has as many as groups.fallback if neither says so. One that neither
 * says anything of any more (it was taken out of the file) keeps what it had, takes no new
 * tasks, and goes with the last of its own. A paused group hands nothing out; what is held goes
 * on.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/aio/sched.h"
#include "daemon/store/store.h"

struct task;
struct watchers;

struct group {
    struct list node;      /* in groups->all */
    struct groups *groups; /* borrowed: its owner */
    struct list lanes;     /* of lane.node: who awaits a slot (line.c) */
    uint32_t waiting;      /* tasks in them */
    uint32_t places_held;
    uint32_t slots_held;
    uint32_t tasks;      /* live ones of it */
    uint32_t limit;      /* slots it has, paused or not */
    uint32_t set_slots;  /* said by a command; 0: nothing */
    uint32_t file_slots; /* said by the configuration; 0: nothing */
    bool paused;
    bool filling; /* line.c gives places until all are held, then not for a while */
    bool leaving; /* its removal is being recorded: no new tasks */
    char *name;   /* owned */
    /* private: what was told of it last */
    uint32_t told_limit; /* 0: nothing */
    bool told_paused;
    const char *told_from;
};

struct groups {
    struct list all;           /* of group.node, in order of creation; owned */
    struct aio_sched *sched;   /* borrowed */
    struct watchers *watchers; /* borrowed: who is told of changes */
    uint32_t count;
    uint32_t fallback;        /* slots where nobody says how many */
    uint32_t running_per_uid; /* slots that a user may hold, in all groups; 0: any number */
};

extern const char group_default[]; /* the name of the group that is always there */

void groups_init(struct groups *, struct aio_sched *, struct watchers *, uint32_t fallback);
void groups_done(struct groups *); /* no task may be in a line any more */
struct group *groups_find(struct groups *, const char *name); /* NULL: none */
/* The group of that name, made with the fallback's slots if it is new; NULL without memory. */
struct group *groups_get(struct groups *, const char *name);

/* What the configuration says, as a whole: begin, set for each (>= 1 slots), groups_sweep. set
 * gives NULL without memory. */
void groups_file_begin(struct groups *);
struct group *groups_set(struct groups *, const char *name, uint32_t slots);

/* What a command says, once it is recorded; then groups_sweep. command gives NULL without
 * memory. */
struct group *groups_command(struct groups *, const struct store_group *);
void group_command_forget(struct groups *, struct group *);

/* After changes: frees the groups that nobody says anything of and that have no tasks, and
 * tells the watchers what is new. */
void groups_sweep(struct groups *);
/* A task of it has gone: the same for this one. */
void group_sweep(struct groups *, struct group *);

/* Who says how many slots it has: "command", "file", "default" (nobody: the fallback) or "task"
 * (nobody any more: it goes with its last task, and takes no new ones). */
const char *group_from(const struct group *);
/* Does it take new tasks? */
bool group_is_open(const struct group *);
