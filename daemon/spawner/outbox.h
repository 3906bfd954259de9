/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * outbox - what is still to be said to aiod, in order.
 *
 * Holds no records: a child knows what is owed about it, so that the outbox cannot grow beyond
 * the children there are, however long aiod does not read.
 */
#include <stdbool.h>

#include "base/list.h"
#include "daemon/spawner/children.h"

enum { OWED_STARTED = 1, OWED_END = 2 };

struct outbox {
    struct list owing;    /* of struct child, and list_end */
    struct list list_end; /* LIST_END, in its place among them */
};

void outbox_init(struct outbox *o);
/* Drops everything: the connection is gone, or another has come. */
void outbox_clear(struct outbox *o, struct children *c);
/* What is known of it is to be sent; `all`: also what was sent already. */
void outbox_owe(struct outbox *o, struct child *child, bool all);
/* Everything known of all children of this instance, then LIST_END. */
void outbox_owe_list(struct outbox *o, struct children *c,
                     const uint8_t instance[RECORD_UUID_BYTES]);
/* Sends. 0: nothing is left; -EAGAIN: the socket is full; another negative errno: it is broken.
 */
int outbox_flush(struct outbox *o, int fd);
/* One record. 0 or a negative errno. */
int outbox_send(int fd, const struct record *rec);

static inline bool outbox_empty(const struct outbox *o)
{
    return list_empty(&o->owing);
}
