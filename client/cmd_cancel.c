/* SPDX-License-Identifier: MIT */
/*
 * aioctl cancel - Task.cancel(): asks tasks to end, and says on stderr what happens now.
 */
#include <errno.h>

#include "client/context.h"
#include "client/picked.h"
#include "proto/pack.h"

struct cmd_cancel {
    struct filters filters;
    bool kill;
};

#define CANCEL(member) offsetof(struct cmd_cancel, member)
static const struct option_def cmd_cancel_defs[] = {
    {"kill", 0, OPTION_FLAG, NULL, "SIGKILL at once, instead of SIGTERM first", CANCEL(kill)},
    FILTER_STATE(CANCEL(filters)),
    FILTER_GROUP(CANCEL(filters)),
    FILTER_NAME(CANCEL(filters)),
    FILTER_SINCE(CANCEL(filters)),
    FILTER_UNTIL(CANCEL(filters)),
};
#undef CANCEL

/* What became of them. */
struct cmd_cancel_tally {
    const struct context *context;
    bool kill;
    size_t asked;
    size_t late; /* DONE already */
};

static void cmd_cancel_pack(void *arg, struct buf *b, struct pack_map_place *map)
{
    const struct cmd_cancel_tally *tally = arg;
    pack_key(b, map, "kill");
    pack_bool(b, tally->kill);
}

static void cmd_cancel_say(const struct cmd_cancel_tally *tally, const msgpack_object *item)
{
    const struct context *c = tally->context;
    unsigned long long id = map_uint(item, "id", 0);
    struct bytes state = map_text(item, "state");
    if (!map_bool(item, "asked", false))
        context_say(c, "%llu is DONE already", id);
    else if (!bytes_equal(state, "RUNNING"))
        context_say(c, "%llu is asked to end", id);
    else if (tally->kill)
        context_say(c, "%llu is asked to end: SIGKILL to its processes now", id);
    else
        context_say(
            c,
            "%llu is asked to end: SIGTERM to its processes now, SIGKILL in %g s (--kill: now)",
            id, map_number(item, "grace", 0));
}

static void cmd_cancel_item(void *arg, const msgpack_object *item)
{
    struct cmd_cancel_tally *tally = arg;
    if (tally->asked + tally->late < PICKED_SAID)
        cmd_cancel_say(tally, item);
    if (map_bool(item, "asked", false))
        tally->asked++;
    else
        tally->late++;
}

static int cmd_cancel_end(const struct cmd_cancel_tally *tally)
{
    if (tally->asked + tally->late > PICKED_SAID && tally->late > 0)
        context_say(tally->context, "and so on: %zu are asked to end, %zu are DONE already",
                    tally->asked, tally->late);
    else if (tally->asked > PICKED_SAID)
        context_say(tally->context, "and so on: %zu are asked to end", tally->asked);
    return tally->asked > 0 ? EXIT_OK : EXIT_REFUSED;
}

static int cmd_cancel_query(const struct context *c, const struct cmd_cancel *o, char **words,
                            size_t n, struct pages_query *ret, struct err *err)
{
    struct view view = context_view(c);
    *ret = (struct pages_query){.ids = n > 0 ? words : NULL, .nids = n};
    int r = filters_apply(&o->filters, &view, ret, err);
    if (r < 0)
        return r;
    if (n == 0 && !filters_any(&o->filters, true))
        return err_set(err, -EINVAL,
                       "which tasks? IDs, all, -g GROUP, --state STATE: aioctl help cancel");
    if (ret->states & PAGES_DONE)
        return err_set(err, -EINVAL, "--state: what is DONE cannot be cancelled");
    if (!ret->states && (n == 0 || filters_any(&o->filters, true)))
        ret->states = PAGES_LIVE;
    return 0;
}

static int cmd_cancel_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_cancel *o = options;
    struct cmd_cancel_tally tally = {.context = c, .kill = o->kill};
    const struct picked_request request = {
        .method = "cancel", .pack = cmd_cancel_pack, .item = cmd_cancel_item, .arg = &tally};
    _cleanup_(picked_done) struct picked picked = {0};
    struct pages_query query;
    struct err err = ERR_INIT;
    int r = cmd_cancel_query(c, o, words, n, &query, &err);
    if (r == 0 && !filters_any(&o->filters, true) && picked_few(words, n)) {
        r = picked_ask_words(c, &request, words, n, &err);
    } else if (r == 0) {
        r = picked_read(&picked, c, &query, NULL, &err);
        if (r == 0) /* the newest first: none that waits is started by a slot that comes free */
            r = picked_ask(&picked, c, &request, false, &err);
    }
    if (r < 0)
        return context_fail(c, &err);
    return cmd_cancel_end(&tally);
}

const struct command cmd_cancel = {
    .name = "cancel",
    .synopsis = "[OPTION…] ID…\n"
                "       aioctl cancel [OPTION…] -g GROUP|--state STATE|--name NAME",
    .summary = "ask tasks to end (task.cancel())",
    .text =
        "Returns at once, and asks nothing: `cancel all` and `cancel -g GROUP` mean it. A "
        "task\n"
        "that had not started never will; a command gets SIGTERM, and SIGKILL if it is still\n"
        "there after the grace (10 s, unless the configuration says otherwise). Exits 5 when\n"
        "all of them are DONE already, 3 when nothing matches.",
    .options = cmd_cancel_defs,
    .noptions = ARRAY_SIZE(cmd_cancel_defs),
    .options_size = sizeof(struct cmd_cancel),
    .run = cmd_cancel_run,
};
