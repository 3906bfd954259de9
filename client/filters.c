/* SPDX-License-Identifier: MIT */
/*
 * filters - options turned into the parameters of `status`.
 *
 * States and outcomes add up: `--state running --failed` are those that run and those that failed.
 */
#include "client/filters.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/defs.h"
#include "base/parse.h"
#include "client/when.h"

static const struct {
    const char *word;
    unsigned state;
} filters_states[] = {
    {"pending", PAGES_PENDING},
    {"running", PAGES_RUNNING},
    {"suspended", PAGES_SUSPENDED},
    {"done", PAGES_DONE},
};

bool filters_of_state(const struct filters *f)
{
    return f->states.n > 0 || f->live || f->done || f->ok || f->failed || f->cancelled;
}

bool filters_any(const struct filters *f, bool group)
{
    return filters_of_state(f) || (group && f->group) || f->name || f->since || f->until ||
           f->older.given;
}

static int filters_no_state(const char *word, size_t len, struct err *err)
{
    static const char *const outcomes[] = {"ok", "failed", "cancelled", "live"};
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
        if (strlen(outcomes[i]) == len && strncasecmp(word, outcomes[i], len) == 0)
            return err_set(err, -EINVAL, "--state: \"%s\" is no state: --%s", outcomes[i],
                           outcomes[i]);
    }
    return err_set(err, -EINVAL,
                   "--state: \"%.*s\" is none of pending, running, suspended, done", (int)len,
                   word);
}

/* One "running,suspended". */
static int filters_add_states(const char *list, unsigned *states, struct err *err)
{
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        size_t i = 0;
        while (i < ARRAY_SIZE(filters_states) &&
               (strlen(filters_states[i].word) != len ||
                strncasecmp(filters_states[i].word, at, len) != 0))
            i++;
        if (i == ARRAY_SIZE(filters_states))
            return filters_no_state(at, len, err);
        *states |= filters_states[i].state;
        at += len;
        if (!*at)
            return 0;
    }
}

static int filters_apply_states(const struct filters *f, struct pages_query *q, struct err *err)
{
    unsigned states = (f->live ? PAGES_LIVE : 0) | (f->done ? PAGES_DONE : 0);
    unsigned outcomes = (f->ok ? PAGES_OK : 0) | (f->failed ? PAGES_FAILED : 0) |
                        (f->cancelled ? PAGES_CANCELLED : 0);
    for (size_t i = 0; i < f->states.n; i++) {
        int r = filters_add_states(f->states.items[i], &states, err);
        if (r < 0)
            return r;
    }
    if (outcomes)
        states |= PAGES_DONE;
    if (states)
        q->states = states;
    q->outcomes = outcomes;
    return 0;
}

/* "2h" is that long ago; anything else a time that has been. */
static int filters_time(const char *option, const char *text, const struct view *view,
                        uint64_t *ret_ns, struct err *err)
{
    uint64_t ago;
    if (parse_duration(text, &ago) == 0) {
        *ret_ns = ago < view->now_ns ? view->now_ns - ago : 1;
        return 0;
    }
    if (when_past(text, view, ret_ns) == 0)
        return 0;
    return err_set(err, -EINVAL,
                   "%s: \"%s\" is neither a duration, such as 90s, 2h, 7d, nor a time, such as "
                   "14:00, today, \"yesterday 08:00\", 2025-12-24, \"2025-12-24 18:00\"",
                   option, text);
}

static int filters_apply_times(const struct filters *f, const struct view *view,
                               struct pages_query *q, struct err *err)
{
    int r = 0;
    if (f->since)
        r = filters_time("--since", f->since, view, &q->since_ns, err);
    if (r == 0 && f->until)
        r = filters_time("--until", f->until, view, &q->until_ns, err);
    if (r == 0 && f->until && f->older.given)
        r = err_set(err, -EINVAL, "--until and --older exclude each other");
    if (r == 0 && f->older.given)
        q->until_ns = f->older.value < view->now_ns ? view->now_ns - f->older.value : 1;
    if (r == 0 && q->since_ns && q->until_ns && q->since_ns > q->until_ns)
        r = err_set(err, -EINVAL, "that begins after it ends: no task can match");
    return r;
}

int filters_apply(const struct filters *f, const struct view *view, struct pages_query *q,
                  struct err *err)
{
    q->group = f->group;
    q->name = f->name;
    int r = filters_apply_states(f, q, err);
    return r < 0 ? r : filters_apply_times(f, view, q, err);
}
