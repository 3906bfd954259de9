/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * watch - tells whoever subscribed what happens to tasks and groups, as it happens.
 *
 * Costs one look at an empty list while nobody does. An event is told in the step that made it,
 * so that events come in the order of what they tell; it is rendered once, when the first
 * watcher asks for its body.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/value.h"

struct group;
struct task;

struct watchers {
    struct list all; /* of watcher.node */
};

enum watch_what {
    WATCH_STATE,   /* a task came, or entered another state; DONE: its outcome is on disk */
    WATCH_REMOVED, /* a finished task was removed */
    WATCH_GROUP,   /* a group came, was changed, or went */
};

struct watch_event {
    enum watch_what what;
    uint64_t id;        /* of the task */
    uint32_t uid;       /* whose it is */
    const char *group;  /* its group's name, or the group's own; borrowed */
    struct task *task;  /* STATE: borrowed; NULL: it is DONE */
    struct value *done; /* STATE: the finished task as the protocol shows it; borrowed */
    const char *was;    /* STATE: the state before; NULL: it is new */
    const struct group *subject; /* GROUP: borrowed */
    bool gone;                   /* GROUP: it went */
    uint32_t keys;               /* private, as the next: of the body; 0: not rendered */
    struct buf body;
};

struct watcher {
    struct list node; /* private */
    void (*told)(struct watcher *, struct watch_event *);
};

void watchers_init(struct watchers *);
void watch_begin(struct watchers *, struct watcher *,
                 void (*told)(struct watcher *, struct watch_event *));
void watch_end(struct watcher *); /* a no-op on a zeroed one, and twice */

static inline bool watched(const struct watchers *w)
{
    return !list_empty(&w->all);
}

/* All may be called while nobody watches. */
void watch_tell_state(struct watchers *, struct task *, const char *was);
void watch_tell_done(struct watchers *, struct task *, struct value *done);
void watch_tell_removed(struct watchers *, uint64_t id, uint32_t uid, const char *group);
void watch_tell_group(struct watchers *, const struct group *, bool gone);

/* The keys and values of a notification about it, without the map around them; *ret_keys is how
 * many. Borrowed for the call of told. */
const struct buf *watch_body(struct watch_event *, uint32_t *ret_keys);
