/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * filters - the options that pick tasks, the same in every verb: by state, outcome, group, name,
 * time.
 *
 * A verb embeds struct filters in its options and lists those of the rows below that it takes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/options.h"
#include "client/pages.h"
#include "client/view.h"

struct filters {
    struct option_texts states;
    bool live;
    bool done;
    bool ok;
    bool failed;
    bool cancelled;
    const char *group;
    const char *name;
    const char *since;
    const char *until;
    struct option_number older;
};

/* Rows for a verb's table of options; at: where the struct filters is in the verb's struct. */
#define FILTER_STATE(at)                                                                       \
    {                                                                                          \
        "state", 's', OPTION_TEXTS, "STATE[,STATE]",                                           \
            "only pending, running, suspended or done",                                        \
            (at) + offsetof(struct filters, states)                                            \
    }
#define FILTER_LIVE(at)                                                                        \
    {                                                                                          \
        "live", 0, OPTION_FLAG, NULL, "only tasks that are not DONE",                          \
            (at) + offsetof(struct filters, live)                                              \
    }
#define FILTER_DONE(at)                                                                        \
    {                                                                                          \
        "done", 0, OPTION_FLAG, NULL, "only finished tasks",                                   \
            (at) + offsetof(struct filters, done)                                              \
    }
#define FILTER_OK(at)                                                                          \
    {                                                                                          \
        "ok", 0, OPTION_FLAG, NULL, "only tasks that are DONE and ok",                         \
            (at) + offsetof(struct filters, ok)                                                \
    }
#define FILTER_FAILED(at)                                                                      \
    {                                                                                          \
        "failed", 0, OPTION_FLAG, NULL, "only tasks that failed",                              \
            (at) + offsetof(struct filters, failed)                                            \
    }
#define FILTER_CANCELLED(at)                                                                   \
    {                                                                                          \
        "cancelled", 0, OPTION_FLAG, NULL, "only tasks that were cancelled",                   \
            (at) + offsetof(struct filters, cancelled)                                         \
    }
#define FILTER_GROUP(at)                                                                       \
    {                                                                                          \
        "group", 'g', OPTION_TEXT, "GROUP", "only tasks of this group",                        \
            (at) + offsetof(struct filters, group)                                             \
    }
#define FILTER_NAME(at)                                                                        \
    {                                                                                          \
        "name", 0, OPTION_TEXT, "NAME", "only tasks of exactly this name",                     \
            (at) + offsetof(struct filters, name)                                              \
    }
#define FILTER_SINCE(at)                                                                       \
    {                                                                                          \
        "since", 0, OPTION_TEXT, "TIME", "only what changed in the last 2h, or since 14:00",   \
            (at) + offsetof(struct filters, since)                                             \
    }
#define FILTER_UNTIL(at)                                                                       \
    {                                                                                          \
        "until", 0, OPTION_TEXT, "TIME", "only what changed before; forms as for --since",     \
            (at) + offsetof(struct filters, until)                                             \
    }
#define FILTER_OLDER(at)                                                                       \
    {                                                                                          \
        "older", 0, OPTION_DURATION, "DURATION", "only what ended longer ago than this",       \
            (at) + offsetof(struct filters, older)                                             \
    }

/* Whether one of them was given; group: -g counts too. */
bool filters_any(const struct filters *, bool group);
/* Whether they say anything of states or outcomes. */
bool filters_of_state(const struct filters *);
/* Checks them and adds them to a query; texts stay borrowed. Without a word of states it is
 * left as it was in that. 0, or -EINVAL with a sentence. */
int filters_apply(const struct filters *, const struct view *, struct pages_query *,
                  struct err *);
