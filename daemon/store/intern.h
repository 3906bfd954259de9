/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * intern - environments and groups, each stored once per uid and content.
 *
 * A row of the table `intern` counts the tasks that use it and goes with the last of them. The
 * recent ones are kept here too: a submit that shares its environment with others asks the
 * database nothing, and what a transaction adds to a count is written once, at its end.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/value.h"
#include "daemon/store/db.h"

#define INTERN_CACHE_ENTRIES 64u             /* shells and users active at a time */
#define INTERN_CACHE_BYTES   (1024u * 1024u) /* of content; the last two stay even above it */

enum { INTERN_LAST = 4 }; /* that are compared before a hash is made */

enum intern_kind { INTERN_ENV = 1, INTERN_CREDS = 2 }; /* kept in the database */

struct intern_entry {
    struct list node; /* in intern.entries, the most recently used first */
    int64_t id;       /* of its row */
    uint64_t hash;    /* of the content */
    int64_t delta;    /* users since the row was last written */
    uint32_t uid;
    enum intern_kind kind;
    bool fresh; /* its row is from the transaction that is open */
    uint32_t len;
    uint8_t bytes[];
};

struct intern {
    struct list entries; /* owned */
    size_t count;
    size_t bytes;
    uint8_t key[16]; /* of the hash */
};

void intern_init(struct intern *, const uint8_t key[16]);
void intern_done(struct intern *);

/* The entry of this content, its row made if need be; *ret is NULL for a NULL value. Borrowed
 * until the next but one call: the last two entries are never dropped. 0 or -errno. */
int intern_find(struct intern *, struct db *, enum intern_kind, uint32_t uid,
                const struct value *, struct intern_entry **ret);
/* One user more of an entry (NULL: nothing), or one less of a row (0: nothing; 0 or -errno). */
void intern_hold(struct intern_entry *);
int intern_release(struct intern *, struct db *, int64_t id);
/* The content of a row as a new value, NULL for id 0. 0 or -errno. */
int intern_read(struct intern *, struct db *, int64_t id, struct value **ret);

int intern_flush(struct intern *, struct db *); /* before COMMIT; 0 or -errno */
void intern_committed(struct intern *);
void intern_rolled_back(struct intern *);
