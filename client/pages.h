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

/* What one listing asks for; the texts are borrowed. */
struct pages_query {
    char *const *ids; /* NULL: all tasks */
    size_t nids;
    const char *const *states; /* lower or upper case; NULL: all states */
    size_t nstates;
    const char *group; /* NULL: all groups */
    bool ascending;
    uint64_t most; /* rows; UINT64_MAX: all of them */
};

/* Queues the request for the page after the id `from` (0: the first). */
int pages_request(struct context *, const struct pages_query *, uint64_t from, uint64_t rows,
                  uint32_t *ret_msgid, struct err *);
/* Waits for a page and adds it; *ret_next is the id to go on from, 0 at the end. */
int pages_take(struct pages *, struct context *, uint32_t msgid, uint64_t *ret_next,
               struct err *);
/* Asks for page after page until `most` rows are there; *ret_next is not 0 if there would be
 * more. */
int pages_read(struct pages *, struct context *, const struct pages_query *, uint64_t *ret_next,
               struct err *);
