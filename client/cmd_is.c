/* SPDX-License-Identifier: MIT */
/*
 * aioctl is-done, is-cancelled, is-failed - questions for scripts: the exit status is the answer,
 * as systemctl is-active's is.
 */
#include <errno.h>

#include "client/context.h"
#include "client/outcome.h"
#include "client/pages.h"

typedef bool cmd_is_fn(const msgpack_object *task);

struct cmd_is_count {
    cmd_is_fn *is;
    size_t tasks;
    size_t yes;
};

static int cmd_is_page(void *arg, const struct pages *page, struct err *err)
{
    (void)err;
    struct cmd_is_count *count = arg;
    count->tasks += page->n;
    for (size_t i = 0; i < page->n; i++)
        count->yes += count->is(page->tasks[i]);
    return 0;
}

static int cmd_is_ask(struct context *c, cmd_is_fn *is, char **words, size_t n)
{
    struct cmd_is_count count = {.is = is};
    struct pages_query query = {.ids = words, .nids = n, .most = UINT64_MAX};
    struct err err = ERR_INIT;
    int r = pages_each(c, &query, cmd_is_page, &count, NULL, &err);
    if (r == -ENOENT && !c->link.broken)
        return EXIT_NOTHING; /* an answer too: nothing is said */
    if (r < 0)
        return context_fail(c, &err);
    if (count.tasks == 0)
        return EXIT_NOTHING;
    return count.yes == count.tasks ? EXIT_OK : EXIT_TASK_FAILED;
}

static bool cmd_is_done_task(const msgpack_object *task)
{
    return map_bool(task, "done", false);
}

static bool cmd_is_cancelled_task(const msgpack_object *task)
{
    return map_bool(task, "cancelled", false);
}

static bool cmd_is_failed_task(const msgpack_object *task)
{
    return outcome_is(task, "failed");
}

static int cmd_is_done_run(struct context *c, const void *options, char **words, size_t n)
{
    (void)options;
    return cmd_is_ask(c, cmd_is_done_task, words, n);
}

static int cmd_is_cancelled_run(struct context *c, const void *options, char **words, size_t n)
{
    (void)options;
    return cmd_is_ask(c, cmd_is_cancelled_task, words, n);
}

static int cmd_is_failed_run(struct context *c, const void *options, char **words, size_t n)
{
    (void)options;
    return cmd_is_ask(c, cmd_is_failed_task, words, n);
}

#define IS_TEXT                                                                                \
    "Prints nothing. Exits 0 when it is so of all of them, 1 when not, 3 when there is no\n"   \
    "such task, 4 when no event loop answers."

const struct command cmd_is_done = {
    .name = "is-done",
    .synopsis = "ID…",
    .summary = "whether tasks are DONE, by exit status (task.done())",
    .text = IS_TEXT,
    .min_words = 1,
    .run = cmd_is_done_run,
};

const struct command cmd_is_cancelled = {
    .name = "is-cancelled",
    .synopsis = "ID…",
    .summary = "whether tasks were cancelled, likewise (task.cancelled())",
    .text = IS_TEXT,
    .min_words = 1,
    .run = cmd_is_cancelled_run,
};

const struct command cmd_is_failed = {
    .name = "is-failed",
    .synopsis = "ID…",
    .summary = "whether tasks failed, likewise",
    .text = IS_TEXT,
    .min_words = 1,
    .run = cmd_is_failed_run,
};
