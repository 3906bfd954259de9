/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * select - what people call tasks, as ids: 7, "3-9", "last", "all", a name.
 */
#include "daemon/control/call.h"

struct selected {
    uint64_t id;
    bool optional; /* one of a range: it need not exist */
    bool seen;     /* private */
};

struct selection {
    struct selected *ids; /* owned */
    size_t len;
    size_t cap;
};
void selection_done(struct selection *);
/* By id, for selection_has. */
void selection_sort(struct selection *);
/* Is the task among those of a sorted selection? */
bool selection_has(const struct selection *, uint64_t id);

/* A coroutine object that fills *ret (which the caller keeps and frees) from one selector or an
 * array of them. It raises -EINVAL (not a selector) or -ENOENT (no such name) with call->err
 * set; whether ids exist, and are the caller's to see, is for the caller to find out. NULL
 * without memory. */
struct aio_co *select_ids(struct call *, const msgpack_object *selectors,
                          struct selection *ret);
/* The same for exactly one task; more than one is -EINVAL. */
struct aio_co *select_id(struct call *, const msgpack_object *selector, struct selection *ret);
