/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * query - which tasks `status` is asked for: by state, outcome, group, name and time.
 */
#include "daemon/control/call.h"

/* What a client sends; the fields of a struct that has one of these (query_fields). */
struct query_params {
    const msgpack_object *states;
    const msgpack_object *outcomes;
    struct bytes group;
    struct bytes name;
    struct bytes since;
    struct bytes until;
};

/* Rows of a table of fields, for a struct s with a member m of that type. */
#define QUERY_FIELDS(s, m)                                                                     \
    {"states", FIELD_TEXTS, false, offsetof(s, m.states), TASK_STATES},                        \
        {"outcomes", FIELD_TEXTS, false, offsetof(s, m.outcomes), 3},                          \
        {"group", FIELD_TEXT, false, offsetof(s, m.group), LIMIT_NAME_BYTES},                  \
        {"name", FIELD_TEXT, false, offsetof(s, m.name), LIMIT_NAME_BYTES},                    \
        {"since", FIELD_TEXT, false, offsetof(s, m.since), 64},                                \
    {                                                                                          \
        "until", FIELD_TEXT, false, offsetof(s, m.until), 64                                   \
    }

struct query {
    bool states[TASK_STATES];
    bool live;         /* one of those that are not DONE */
    uint32_t outcomes; /* of those that are DONE: bits 1 << enum store_outcome; 0: any */
    char *group;       /* owned; NULL: any */
    char *name;        /* likewise */
    uint64_t since_ns; /* that entered their state then or later; 0: at any time */
    uint64_t until_ns; /* before; likewise */
};

/* 0, or a negative errno with a sentence. */
int query_read(struct query *, const struct query_params *, struct err *);
void query_done(struct query *); /* also on a zeroed one */
/* Does it ask for that task? */
bool query_wants_live(const struct query *, const struct task *);
bool query_wants_row(const struct query *, const struct store_task *);
