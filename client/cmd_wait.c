/* SPDX-License-Identifier: MIT */
/*
 * aioctl wait - asyncio.wait: waits for several tasks and says how each ended, in that order.
 */
#include <errno.h>

#include "client/context.h"
#include "client/ids.h"
#include "client/json.h"
#include "client/listing.h"
#include "client/outcome.h"
#include "client/row.h"
#include "proto/pack.h"

struct cmd_wait {
    bool first;
    bool all;
    bool propagate;
    struct option_number timeout;
    enum option_format format;
};

#define WAIT(member) offsetof(struct cmd_wait, member)
static const struct option_def cmd_wait_defs[] = {
    {"all", 0, OPTION_FLAG, NULL, "until every one is DONE; the default", WAIT(all)},
    {"first", 0, OPTION_FLAG, NULL, "until the first one is DONE", WAIT(first)},
    {"timeout", 't', OPTION_DURATION, "DURATION", "stop waiting after so long: exit 124",
     WAIT(timeout)},
    {"propagate", 0, OPTION_FLAG, NULL, "of one task: exit with its own status, as run does",
     WAIT(propagate)},
    {"output", 'o', OPTION_FORMAT, "json|jsonl",
     "the answer as it is, or each finished task on a line", WAIT(format)},
};
#undef WAIT

static int cmd_wait_check(const struct cmd_wait *o, char *const *words, size_t n,
                          struct err *err)
{
    if (o->first && o->all)
        return err_set(err, -EINVAL, "--first and --all exclude each other");
    if (o->propagate && (n != 1 || !ids_single(words[0])))
        return err_set(err, -EINVAL, "--propagate is for one task");
    return 0;
}

static void cmd_wait_pack(struct buf *b, const struct cmd_wait *o, char *const *words, size_t n)
{
    pack_map(b, 1 + (n > 0) + o->timeout.given);
    pack_text(b, "mode");
    pack_text(b, o->first ? "first" : "all");
    if (n > 0)
        ids_pack(b, words, n);
    if (o->timeout.given) {
        pack_text(b, "timeout");
        pack_double(b, (double)o->timeout.value / (double)NSEC_PER_SEC);
    }
}

/* "7 ok make -j4" */
static void cmd_wait_line(struct buf *b, const msgpack_object *task)
{
    struct bytes outcome = map_text(task, "outcome");
    buf_printf(b, "%llu %.*s ", (unsigned long long)map_uint(task, "id", 0), (int)outcome.len,
               outcome.data ? outcome.data : "");
    row_title(b, task);
    buf_puts(b, "\n");
}

static int cmd_wait_status(const struct cmd_wait *o, const msgpack_object *result,
                           const msgpack_object *done, size_t n)
{
    if (map_bool(result, "timed_out", false))
        return EXIT_TIMED_OUT;
    if (o->propagate && n > 0)
        return outcome_own_exit(&done->via.array.ptr[0]);
    for (size_t i = 0; i < n; i++) {
        if (outcome_exit(&done->via.array.ptr[i]) != EXIT_OK)
            return EXIT_TASK_FAILED;
    }
    return EXIT_OK;
}

/* Prints what one answer holds; its exit status. */
static int cmd_wait_print(struct context *c, const struct cmd_wait *o,
                          const msgpack_object *result)
{
    struct buf out = BUF_INIT;
    const msgpack_object *done = map_get(result, "done");
    size_t ndone = done && done->type == MSGPACK_OBJECT_ARRAY ? done->via.array.size : 0;
    if (o->format == FORMAT_JSON) {
        json_write(&out, result);
        buf_puts(&out, "\n");
    }
    for (size_t i = 0; i < ndone && o->format != FORMAT_JSON; i++) {
        const msgpack_object *task = &done->via.array.ptr[i];
        if (o->format == FORMAT_JSONL)
            listing_render(&out, FORMAT_JSONL, &task, 1);
        else
            cmd_wait_line(&out, task);
    }
    int r = context_print(c, &out);
    return r != EXIT_OK ? r : cmd_wait_status(o, result, done, ndone);
}

/* The parameters that ask for what did not fit into an answer; false: all of it did. */
static bool cmd_wait_pack_rest(struct buf *b, const msgpack_object *result)
{
    const msgpack_object *rest = map_get(result, "rest");
    if (!rest || rest->type != MSGPACK_OBJECT_ARRAY || rest->via.array.size == 0)
        return false;
    pack_map(b, 1);
    pack_text(b, "ids");
    pack_array(b, rest->via.array.size);
    for (uint32_t i = 0; i < rest->via.array.size; i++)
        pack_uint(b, rest->via.array.ptr[i].via.u64);
    return true;
}

static int cmd_wait_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_wait *o = options;
    struct buf params = BUF_INIT;
    struct err err = ERR_INIT;
    int status = EXIT_OK;
    bool more = true;
    c->own_exit = o->propagate;
    if (cmd_wait_check(o, words, n, &err) < 0)
        return context_fail(c, &err);
    cmd_wait_pack(&params, o, words, n);
    while (more) {
        _cleanup_(reply_freep) struct reply *reply = NULL;
        if (context_call(c, "wait", &params, &reply, &err) < 0)
            return context_fail(c, &err);
        int page = cmd_wait_print(c, o, reply->result);
        status = status == EXIT_OK ? page : status;
        params = (struct buf)BUF_INIT;
        more = cmd_wait_pack_rest(&params, reply->result);
    }
    return status;
}

const struct command cmd_wait = {
    .name = "wait",
    .synopsis = "[OPTION…] [ID…]",
    .summary = "wait for tasks, all your live ones by default (asyncio.wait)",
    .text = "Prints a line `ID outcome title` for each task that is DONE, in the order in "
            "which they\n"
            "ended. Exits 0 when all of those are ok, 1 when one failed or was cancelled. "
            "Ending the\n"
            "wait cancels nothing.",
    .options = cmd_wait_defs,
    .noptions = ARRAY_SIZE(cmd_wait_defs),
    .options_size = sizeof(struct cmd_wait),
    .run = cmd_wait_run,
};
