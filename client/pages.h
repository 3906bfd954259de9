/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * pages - the tasks that one or several `status` requests gave, page after page.
 */
#include <msgpack.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/context.h"

/* Of one page: a reply has at most LIMIT_MESSAGE_ITEMS objects, and a finished task has up
 * to 70. */
enum { PAGES_ROWS = 500 };

struct pages {
    struct reply **replies; /* owned array of owned replies */
    size_t nreplies;
    const msgpack_object **tasks; /* owned array, borrowed from the replies */
    size_t n;
};
void pages_done(struct pages *);

/* Bits of pages_query.states and .outcomes. */
enum {
    PAGES_PENDING = 1,
    PAGES_RUNNING = 2,
    PAGES_SUSPENDED = 4,
    PAGES_LIVE = 7,
    PAGES_DONE = 8,
};
enum { PAGES_OK = 1, PAGES_FAILED = 2, PAGES_CANCELLED = 4 };

/* What one listing asks for; the texts are borrowed. */
struct pages_query {
    char *const *ids; /* NULL: all tasks */
    size_t nids;
    unsigned states;   /* 0: all */
    unsigned outcomes; /* of those DONE; 0: any */
    const char *group; /* NULL: all groups */
    const char *name;  /* exactly; NULL: any or none */
    uint64_t since_ns; /* entered their present state at or after, since 1970; 0: whenever */
    uint64_t until_ns; /* before; 0: whenever */
    bool ascending;
    uint64_t most; /* rows; UINT64_MAX: all of them */
};

/* Queues the request for the page after the id `from` (0: the first). */
int pages_request(struct context *, const struct pages_query *, uint64_t from, uint64_t rows,
                  uint32_t *ret_msgid, struct err *);
/* Waits for a page and adds it; *ret_next is the id to go on from, 0 at the end. */
int pages_take(struct pages *, struct context *, uint32_t msgid, uint64_t *ret_next,
               struct err *);
/* Reads page after page, gives each to fn and frees it. What fn returns below 0 ends it and is
 * returned, with a sentence. *ret_next (may be NULL) as of pages_read. */
typedef int pages_fn(void *arg, const struct pages *page, struct err *err);
int pages_each(struct context *, const struct pages_query *, pages_fn *fn, void *arg,
               uint64_t *ret_next, struct err *);
/* 0 if there is a group of that name, as far as the first reply tells (it is listed, or a task has
 * it), or with NULL; else -ENOENT with a sentence. */
int pages_check_group(const struct pages *, const char *group, struct err *);
/* Asks for page after page until `most` rows are there; *ret_next is not 0 if there would be
 * more. */
int pages_read(struct pages *, struct context *, const struct pages_query *, uint64_t *ret_next,
               struct err *);
