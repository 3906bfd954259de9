/* SPDX-License-Identifier: MIT */
/*
 * aioctl rm - forgets finished tasks and their output: those that were named, or that filters
 * pick.
 */
#include <errno.h>

#include "client/context.h"
#include "client/picked.h"
#include "proto/pack.h"

struct cmd_rm {
    struct filters filters;
};

#define RM offsetof(struct cmd_rm, filters)
static const struct option_def cmd_rm_defs[] = {
    FILTER_DONE(RM),      FILTER_OK(RM),    FILTER_FAILED(RM),
    FILTER_CANCELLED(RM), FILTER_OLDER(RM), FILTER_GROUP(RM),
    FILTER_NAME(RM),      FILTER_SINCE(RM), FILTER_UNTIL(RM),
};
#undef RM

/* What became of them. */
struct cmd_rm_tally {
    const struct context *context;
    size_t removed;
    size_t refused;
};

static void cmd_rm_item(void *arg, const msgpack_object *item)
{
    struct cmd_rm_tally *tally = arg;
    unsigned long long id = map_uint(item, "id", 0);
    struct bytes state = map_text(item, "state");
    if (map_bool(item, "removed", false)) {
        tally->removed++;
        return;
    }
    if (++tally->refused <= PICKED_SAID)
        context_say(tally->context, "%llu is %.*s: cancel it first: aioctl cancel %llu", id,
                    (int)state.len, state.data ? state.data : "", id);
}

static int cmd_rm_end(const struct cmd_rm_tally *tally)
{
    if (tally->refused > PICKED_SAID)
        context_say(tally->context, "%zu more are not DONE", tally->refused - PICKED_SAID);
    if (tally->removed > 0)
        context_say(tally->context, "removed %zu task%s", tally->removed,
                    tally->removed > 1 ? "s" : "");
    return tally->refused > 0 ? EXIT_REFUSED : EXIT_OK;
}

/* --done and its like must be said: -g alone could be a slip. */
static int cmd_rm_query(const struct context *c, const struct cmd_rm *o, char **words, size_t n,
                        struct pages_query *ret, struct err *err)
{
    struct view view = context_view(c);
    const struct filters *f = &o->filters;
    *ret = (struct pages_query){.ids = n > 0 ? words : NULL, .nids = n};
    int r = filters_apply(f, &view, ret, err);
    if (r < 0)
        return r;
    if (n == 0 && !filters_of_state(f) && !f->older.given)
        return err_set(err, -EINVAL,
                       "which tasks? IDs, --done, --failed, --older 7d, …: aioctl help rm");
    if (filters_any(f, true))
        ret->states = PAGES_DONE;
    return 0;
}

static int cmd_rm_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_rm *o = options;
    struct cmd_rm_tally tally = {.context = c};
    const struct picked_request request = {
        .method = "remove", .item = cmd_rm_item, .arg = &tally};
    _cleanup_(picked_done) struct picked picked = {0};
    struct pages_query query;
    struct err err = ERR_INIT;
    int r = cmd_rm_query(c, o, words, n, &query, &err);
    if (r == 0 && !filters_any(&o->filters, true) && picked_few(words, n)) {
        r = picked_ask_words(c, &request, words, n, &err);
    } else if (r == 0) {
        r = picked_read(&picked, c, &query, NULL, &err);
        if (r == 0)
            r = picked_ask(&picked, c, &request, true, &err);
    }
    int status = cmd_rm_end(&tally);
    return r < 0 ? context_fail(c, &err) : status;
}

const struct command cmd_rm = {
    .name = "rm",
    .synopsis = "ID…\n"
                "       aioctl rm --done|--ok|--failed|--cancelled|--older DURATION [OPTION…]",
    .summary = "forget finished tasks and their output",
    .text =
        "Only tasks that are DONE are removed. Exits 5 when one that was named is not, 3 when\n"
        "nothing matches. Ids are never used again. For a timer: aioctl rm --done --older 7d",
    .options = cmd_rm_defs,
    .noptions = ARRAY_SIZE(cmd_rm_defs),
    .options_size = sizeof(struct cmd_rm),
    .run = cmd_rm_run,
};
