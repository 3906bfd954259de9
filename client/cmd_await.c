/* SPDX-License-Identifier: MIT */
/*
 * aioctl await, aioctl result - the result of one task: waited for, or taken if it is there.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/chosen.h"
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

/* What `await` is asked, also once more after a restart. */
struct cmd_await_query {
    const struct context *c; /* borrowed */
    const char *word;        /* borrowed */
    uint64_t id;             /* what it means; 0: not one task */
};

static void cmd_await_pack(void *arg, struct buf *b, bool again)
{
    const struct cmd_await_query *q = arg;
    uint64_t now = clock_awake();
    (void)again;
    pack_map(b, q->c->deadline_ns ? 2 : 1);
    if (q->id) {
        pack_text(b, "id");
        pack_uint(b, q->id);
    } else {
        ids_pack_one(b, q->word);
    }
    if (q->c->deadline_ns) {
        pack_text(b, "timeout");
        pack_double(b, q->c->deadline_ns <= now
                           ? 0
                           : (double)(q->c->deadline_ns - now) / (double)NSEC_PER_SEC);
    }
}

static int cmd_await_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_await *o = options;
    struct cmd_await_query q = {.c = c, .word = words[0]};
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct err err = ERR_INIT;
    (void)n;
    c->own_exit = o->propagate;
    if (o->timeout.given)
        c->deadline_ns = clock_awake() + o->timeout.value;
    int r = chosen_one(c, q.word, &q.id, &err);
    if (r == 0)
        r = context_call_again(c, "await", cmd_await_pack, &q, &reply, &err);
    if (r == -ETIMEDOUT && q.id) /* the daemon knows only what was left of the time */
        err_set(&err, r, "task %llu is not done after %g s", (unsigned long long)q.id,
                (double)o->timeout.value / (double)NSEC_PER_SEC);
    return r < 0 ? context_fail(c, &err) : cmd_await_show(c, o, reply->result);
}

static int cmd_result_run(struct context *c, const void *options, char **words, size_t n)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf params = BUF_INIT;
    struct err err = ERR_INIT;
    (void)n;
    pack_map(&params, 1);
    ids_pack_one(&params, words[0]);
    if (context_call(c, "result", &params, &reply, &err) < 0)
        return context_fail(c, &err);
    return cmd_await_show(c, options, reply->result);
}

const struct command cmd_await = {
    .name = "await",
    .synopsis = "[OPTION…] ID",
    .summary = "wait for a task and print its result (result = await task)",
    .text =
        "Exits 0 when it is ok, 1 when it failed or was cancelled, which is said on stderr.\n"
        "Ending the wait cancels nothing. Goes on when the event loop is restarted.",
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
