/* SPDX-License-Identifier: MIT */
/*
 * aioctl rm - forgets finished tasks and their output.
 */
#include "client/context.h"
#include "client/ids.h"
#include "proto/pack.h"

static int cmd_rm_run(struct context *c, const void *options, char **words, size_t n)
{
    (void)options;
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf params = BUF_INIT;
    struct err err = ERR_INIT;
    pack_map(&params, 1);
    ids_pack(&params, words, n);
    if (context_call(c, "remove", &params, &reply, &err) < 0)
        return context_fail(c, &err);
    const msgpack_object *items = reply->result;
    size_t count = items->type == MSGPACK_OBJECT_ARRAY ? items->via.array.size : 0;
    int status = count == 0 ? EXIT_NOTHING : EXIT_OK;
    if (count == 0)
        context_say(c, "nothing matches");
    for (size_t i = 0; i < count; i++) {
        const msgpack_object *item = &items->via.array.ptr[i];
        unsigned long long id = map_uint(item, "id", 0);
        struct bytes state = map_text(item, "state");
        if (map_bool(item, "removed", false))
            continue;
        context_say(c, "%llu is %.*s: cancel it first: aioctl cancel %llu", id, (int)state.len,
                    state.data ? state.data : "", id);
        status = EXIT_REFUSED;
    }
    return status;
}

const struct command cmd_rm = {
    .name = "rm",
    .synopsis = "ID…",
    .summary = "forget finished tasks and their output",
    .text = "Only tasks that are DONE are removed; exits 5 when one is not. Ids are never used "
            "again.",
    .min_words = 1,
    .run = cmd_rm_run,
};
