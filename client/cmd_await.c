/* SPDX-License-Identifier: MIT */
/*
 * aioctl await, aioctl result - the result of one task: waited for, or taken if it is there.
 */
#include <unistd.h>

#include "client/context.h"
#include "client/escape.h"
#include "client/ids.h"
#include "client/json.h"
#include "client/listing.h"
#include "client/outcome.h"
#include "proto/pack.h"

struct cmd_await {
    struct option_number timeout;
    bool propagate;
    enum option_format format;
};

#define AWAIT(member) offsetof(struct cmd_await, member)
static const struct option_def cmd_await_defs[] = {
    {"timeout", 't', OPTION_DURATION, "DURATION", "stop waiting after so long: exit 124",
     AWAIT(timeout)},
    {"propagate", 0, OPTION_FLAG, NULL, "exit with the task's own status, as run does",
     AWAIT(propagate)},
    {"output", 'o', OPTION_FORMAT, "json|jsonl", "the whole task instead of its result",
     AWAIT(format)},
};
static const struct option_def cmd_result_defs[] = {
    {"output", 'o', OPTION_FORMAT, "json|jsonl", "the whole task instead of its result",
     AWAIT(format)},
};
#undef AWAIT

/* A text as it is (escaped on a terminal), anything else as JSON, nothing for nil. */
static void cmd_await_render(struct buf *b, const msgpack_object *result, bool terminal)
{
    struct bytes text = object_text(result);
    if (!result || result->type == MSGPACK_OBJECT_NIL)
        return;
    if (!text.data)
        json_write(b, result);
    else if (terminal)
        escape_text(b, text.data, text.len);
    else
        buf_append(b, text.data, text.len);
    buf_puts(b, "\n");
}

static int cmd_await_show(struct context *c, const struct cmd_await *o,
                          const msgpack_object *task)
{
    struct buf out = BUF_INIT;
    if (o->format != FORMAT_DEFAULT)
        listing_render(&out, FORMAT_JSONL, &task, 1);
    else if (outcome_is(task, "ok"))
        cmd_await_render(&out, map_get(task, "result"), isatty(STDOUT_FILENO));
    int r = context_print(c, &out);
    if (r != EXIT_OK)
        return r;
    if (!outcome_is(task, "ok")) {
        _cleanup_(buf_done) struct buf sentence = BUF_INIT;
        buf_printf(&sentence, "task %llu ", (unsigned long long)map_uint(task, "id", 0));
        buf_puts(&sentence, outcome_is(task, "failed") ? "failed: " : "was ");
        outcome_sentence(&sentence, task);
        context_say(c, "%s", buf_cstr(&sentence) ? buf_cstr(&sentence) : "failed");
    }
    return o->propagate ? outcome_own_exit(task) : outcome_exit(task);
}

static int cmd_await_ask(struct context *c, const char *method, const struct cmd_await *o,
                         const char *word)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf params = BUF_INIT;
    struct err err = ERR_INIT;
    pack_map(&params, o->timeout.given ? 2 : 1);
    ids_pack_one(&params, word);
    if (o->timeout.given) {
        pack_text(&params, "timeout");
        pack_double(&params, (double)o->timeout.value / (double)NSEC_PER_SEC);
    }
    c->own_exit = o->propagate;
    if (context_call(c, method, &params, &reply, &err) < 0)
        return context_fail(c, &err);
    return cmd_await_show(c, o, reply->result);
}

static int cmd_await_run(struct context *c, const void *options, char **words, size_t n)
{
    (void)n;
    return cmd_await_ask(c, "await", options, words[0]);
}

static int cmd_result_run(struct context *c, const void *options, char **words, size_t n)
{
    (void)n;
    return cmd_await_ask(c, "result", options, words[0]);
}

const struct command cmd_await = {
    .name = "await",
    .synopsis = "[OPTION…] ID",
    .summary = "wait for a task and print its result (result = await task)",
    .text =
        "Exits 0 when it is ok, 1 when it failed or was cancelled, which is said on stderr.\n"
        "Ending the wait cancels nothing.",
    .options = cmd_await_defs,
    .noptions = ARRAY_SIZE(cmd_await_defs),
    .options_size = sizeof(struct cmd_await),
    .min_words = 1,
    .max_words = 1,
    .run = cmd_await_run,
};

const struct command cmd_result = {
    .name = "result",
    .synopsis = "[OPTION…] ID",
    .summary = "print the result of a task that is DONE (task.result())",
    .text = "As await, but it does not wait: a task that is not DONE is refused with exit 5.",
    .options = cmd_result_defs,
    .noptions = ARRAY_SIZE(cmd_result_defs),
    .options_size = sizeof(struct cmd_await),
    .min_words = 1,
    .max_words = 1,
    .run = cmd_result_run,
};
