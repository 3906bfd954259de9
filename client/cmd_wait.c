/* SPDX-License-Identifier: MIT */
/*
 * aioctl wait - asyncio.wait: waits for several tasks and says how each ended, in that order.
 *
 * In time order: the words are made a set of ids, which means the same tasks after a restart;
 * waiting.h waits for it; what came is sorted and printed.
 */
#include <errno.h>

#include "base/clock.h"
#include "client/chosen.h"
#include "client/context.h"
#include "client/ended.h"
#include "client/ids.h"
#include "client/json.h"
#include "client/outcome.h"
#include "client/row.h"
#include "client/waiting.h"

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
     "{done, pending, timed_out}, or each finished task on a line", WAIT(format)},
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

/* What has come so far. */
struct cmd_wait_result {
    const struct cmd_wait *options; /* borrowed */
    struct ended ended;             /* owned */
    int status;                     /* of those that came */
};

/* "7 ok make -j4" */
static void cmd_wait_line(struct buf *b, const msgpack_object *task)
{
    struct bytes outcome = map_text(task, "outcome");
    buf_printf(b, "%llu %.*s ", (unsigned long long)map_uint(task, "id", 0), (int)outcome.len,
               outcome.data ? outcome.data : "");
    row_title(b, task);
    buf_puts(b, "\n");
}

static void cmd_wait_done(void *arg, const msgpack_object *task)
{
    struct cmd_wait_result *result = arg;
    struct buf *b = ended_add(&result->ended, task);
    if (result->options->propagate)
        result->status = outcome_own_exit(task);
    else if (outcome_exit(task) != EXIT_OK)
        result->status = EXIT_TASK_FAILED;
    if (result->options->format == FORMAT_DEFAULT)
        cmd_wait_line(b, task);
    else
        json_write(b, task);
}

static void cmd_wait_render(struct buf *out, struct cmd_wait_result *result,
                            const struct waiting *w)
{
    const char *before = "";
    switch (result->options->format) {
    case FORMAT_JSON:
        buf_puts(out, "{\"done\":[");
        ended_flush(&result->ended, out, ",");
        buf_puts(out, "],\"pending\":[");
        for (size_t i = 0; i < w->pending.n; i++) {
            const struct taskset_range *r = &w->pending.ranges[i];
            for (uint64_t more = 0; more <= r->last - r->first; more++, before = ",")
                buf_printf(out, "%s%llu", before, (unsigned long long)(r->first + more));
        }
        buf_printf(out, "],\"timed_out\":%s}\n", w->timed_out ? "true" : "false");
        return;
    case FORMAT_JSONL:
        if (result->ended.n > 0) {
            ended_flush(&result->ended, out, "\n");
            buf_puts(out, "\n");
        }
        return;
    default:
        ended_flush(&result->ended, out, "");
    }
}

static void cmd_wait_say_pending(const struct context *c, const struct cmd_wait *o,
                                 const struct waiting *w)
{
    unsigned long long pending = taskset_count(&w->pending);
    double seconds = (double)o->timeout.value / (double)NSEC_PER_SEC;
    if (pending == 1)
        context_say(c, "task %llu is not done after %g s",
                    (unsigned long long)w->pending.ranges[0].first, seconds);
    else
        context_say(c, "%llu of %llu tasks are not done after %g s", pending,
                    pending + (unsigned long long)w->came, seconds);
}

static int cmd_wait_finish(struct context *c, struct cmd_wait_result *result,
                           const struct waiting *w)
{
    struct buf out = BUF_INIT;
    cmd_wait_render(&out, result, w);
    int status = context_print(c, &out);
    if (status != EXIT_OK)
        return status;
    if (!w->timed_out)
        return result->status;
    cmd_wait_say_pending(c, result->options, w);
    return EXIT_TIMED_OUT;
}

static int cmd_wait_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_wait *o = options;
    struct cmd_wait_result result = {.options = o, .status = EXIT_OK};
    struct waiting w = {.c = c, .first = o->first, .done = cmd_wait_done, .arg = &result};
    struct taskset set = TASKSET_INIT;
    struct err err = ERR_INIT;
    c->own_exit = o->propagate;
    if (o->timeout.given)
        c->deadline_ns = clock_awake() + o->timeout.value;
    int r = cmd_wait_check(o, words, n, &err);
    if (r == 0)
        r = chosen_set(c, words, n, &set, &err);
    if (r == 0)
        r = waiting_run(&w, &set, &err);
    int status = r < 0 ? context_fail(c, &err) : cmd_wait_finish(c, &result, &w);
    taskset_done(&set);
    waiting_done(&w);
    ended_done(&result.ended);
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
            "wait cancels nothing. Goes on when the event loop is restarted.",
    .options = cmd_wait_defs,
    .noptions = ARRAY_SIZE(cmd_wait_defs),
    .options_size = sizeof(struct cmd_wait),
    .run = cmd_wait_run,
};
