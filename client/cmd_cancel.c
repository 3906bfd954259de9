/* SPDX-License-Identifier: MIT */
/*
 * aioctl cancel - Task.cancel(): asks tasks to end, and says on stderr what happens now.
 */
#include "client/context.h"
#include "client/ids.h"
#include "proto/pack.h"

struct cmd_cancel {
    bool kill;
};

static const struct option_def cmd_cancel_defs[] = {
    {"kill", 0, OPTION_FLAG, NULL, "SIGKILL at once, instead of SIGTERM first",
     offsetof(struct cmd_cancel, kill)},
};

static void cmd_cancel_say(const struct context *c, const struct cmd_cancel *o,
                           const msgpack_object *item)
{
    unsigned long long id = map_uint(item, "id", 0);
    struct bytes state = map_text(item, "state");
    if (!map_bool(item, "asked", false))
        context_say(c, "%llu is DONE already", id);
    else if (!bytes_equal(state, "RUNNING"))
        context_say(c, "%llu is asked to end", id);
    else if (o->kill)
        context_say(c, "%llu is asked to end: SIGKILL to its processes now", id);
    else
        context_say(
            c,
            "%llu is asked to end: SIGTERM to its processes now, SIGKILL in %g s (--kill: now)",
            id, map_number(item, "grace", 0));
}

static int cmd_cancel_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_cancel *o = options;
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf params = BUF_INIT;
    struct err err = ERR_INIT;
    pack_map(&params, 2);
    ids_pack(&params, words, n);
    pack_text(&params, "kill");
    pack_bool(&params, o->kill);
    if (context_call(c, "cancel", &params, &reply, &err) < 0)
        return context_fail(c, &err);
    const msgpack_object *items = reply->result;
    size_t count = items->type == MSGPACK_OBJECT_ARRAY ? items->via.array.size : 0;
    bool asked = false;
    for (size_t i = 0; i < count; i++) {
        cmd_cancel_say(c, o, &items->via.array.ptr[i]);
        asked = asked || map_bool(&items->via.array.ptr[i], "asked", false);
    }
    if (count == 0)
        context_say(c, "nothing matches");
    return count == 0 ? EXIT_NOTHING : asked ? EXIT_OK : EXIT_REFUSED;
}

const struct command cmd_cancel = {
    .name = "cancel",
    .synopsis = "[OPTION…] ID…",
    .summary = "ask tasks to end (task.cancel())",
    .text =
        "Returns at once. A task that had not started never will; a command gets SIGTERM, and\n"
        "SIGKILL if it is still there after the grace (10 s, unless the configuration says\n"
        "otherwise). Exits 5 when all of them are DONE already.",
    .options = cmd_cancel_defs,
    .noptions = ARRAY_SIZE(cmd_cancel_defs),
    .options_size = sizeof(struct cmd_cancel),
    .min_words = 1,
    .run = cmd_cancel_run,
};
