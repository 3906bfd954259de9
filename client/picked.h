/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * picked - the tasks that a verb which does something to many is about: those that words name, or
 * that filters pick; and the requests that do it.
 *
 * A request's answer has to fit into a message, so thousands of tasks become several requests.
 * A task that is gone between the listing and its turn is passed over.
 */
#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "client/filters.h"
#include "client/pages.h"
#include "proto/pack.h"

enum {
    PICKED_TASKS = LIMIT_RETRIED, /* in one request, whichever: cancel and remove take more */
    PICKED_SAID = 10, /* tasks that a verb says a sentence of; the others it counts */
};

struct picked {
    uint64_t *ids; /* owned; the newest first */
    size_t n;
    size_t cap;
};
void picked_done(struct picked *);

/* Whether words can only mean so few tasks that one request is enough: numbers, short ranges. */
bool picked_few(char *const *words, size_t n);

typedef bool picked_want_fn(const msgpack_object *task);
/* Lists the tasks of a query. want may be NULL: all of them. -ENOENT with a sentence: none, or
 * no such group. */
int picked_read(struct picked *, struct context *, const struct pages_query *,
                picked_want_fn *want, struct err *);

/* What is asked for them. */
struct picked_request {
    const char *method;
    void (*pack)(void *arg, struct buf *,
                 struct pack_map_place *);               /* more parameters; or NULL */
    void (*item)(void *arg, const msgpack_object *item); /* of each answer */
    void *arg;                                           /* borrowed */
};
/* For what words mean, as they are; -ENOENT with a sentence where that is nothing. */
int picked_ask_words(struct context *, const struct picked_request *, char *const *words,
                     size_t n, struct err *);
/* For all that was picked; oldest: these first. */
int picked_ask(const struct picked *, struct context *, const struct picked_request *,
               bool oldest, struct err *);
