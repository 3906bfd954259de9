/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * event - something that happened to a task or a group: as the event loop tells it, or as the
 * times of a task tell it afterwards; written as a line or as JSON.
 */
#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "client/view.h"
#include "proto/unpack.h"

enum event_kind {
    EVENT_NEW,     /* submitted */
    EVENT_STARTED, /* left PENDING */
    EVENT_CANCEL,  /* was asked to end */
    EVENT_ENDED,
    EVENT_CHANGED, /* any other change of state */
    EVENT_REMOVED,
    EVENT_GROUP, /* a group was made, changed or removed */
    EVENT_LOST,  /* the event loop left some out: we read too slowly */
    EVENT_READY, /* from here on nothing is missed */
    EVENT_OTHER, /* of a newer event loop */
};

struct event {
    enum event_kind kind;
    uint64_t time_ns;
    uint64_t id;                 /* of the task; 0: it is about none */
    struct bytes what;           /* the protocol's word; borrowed, as all that follows */
    struct bytes state;          /* now */
    struct bytes was;            /* before; data NULL: new, or not known */
    const msgpack_object *task;  /* as it was then; of a past event, as it is now; or NULL */
    const msgpack_object *group; /* or NULL */
    uint64_t count;              /* EVENT_LOST: how many */
    bool past;                   /* told from the times of the task */
};

enum { EVENT_PAST_MAX = 4 }; /* of one task */

/* Reads a notification's parameters. */
struct event event_read(const msgpack_object *params);
/* What the times of a task tell, in order; returns how many. */
size_t event_past(struct event ret[EVENT_PAST_MAX], const msgpack_object *task);
/* "23:31:42.377    208  PENDING → RUNNING      process 4290      ffmpeg …", cut to the terminal;
 * escaped. */
void event_line(struct buf *, const struct event *, const struct view *);
/* {"time", "what", "id", "state", "was", "task"…}, those that there are, without a line end. */
void event_json(struct buf *, const struct event *);
