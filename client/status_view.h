/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * status_view - what `aioctl status` shows to people: the overview, a list, or one task; read,
 * and rendered as often as one likes.
 */
#include "client/filters.h"
#include "client/overview.h"

enum status_mode { STATUS_OVERVIEW, STATUS_LIST, STATUS_DETAIL };

struct status_view {
    enum status_mode mode;
    const struct filters *filters; /* borrowed */
    char *const *words;            /* borrowed: ids; of a detail exactly one */
    size_t nwords;
    uint64_t rows; /* of a list: at most; of the overview: those DONE */
    bool wide;
    bool env; /* of a detail */

    struct overview overview; /* owned, as what follows: what was read last */
    struct pages pages;
    uint64_t next; /* there are more than the list has */
    struct reply *detail;
};
void status_view_done(struct status_view *);

/* The query of a list. 0, or -EINVAL with a sentence. */
int status_view_query(const struct status_view *, const struct view *, struct pages_query *ret,
                      struct err *);
/* Asks and reads; the detail of a name that several live tasks have becomes a list. 0 or a negative errno with a sentence; -ENOENT also for an unknown group, and
 * where words name no task. */
int status_view_read(struct status_view *, struct context *, const struct view *, struct err *);
/* -ENOENT with a sentence where the first page of a listing says that what was asked for does
 * not exist. */
int status_view_check(const struct status_view *, const struct pages *, struct err *);
/* Of what was read. hello: the result of that method. */
void status_view_render(struct buf *, const struct status_view *, const msgpack_object *hello,
                        const struct view *);
/* Whether a list was read that has no row. */
bool status_view_empty(const struct status_view *);
