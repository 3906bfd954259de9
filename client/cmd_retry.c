/* SPDX-License-Identifier: MIT */
/*
 * aioctl retry - submits finished tasks once more, as they were, and prints the new ids.
 *
 * What filters pick leaves out tasks that have been retried already: `retry --failed` can be
 * said twice.
 */
#include <errno.h>
#include <unistd.h>

#include "client/context.h"
#include "client/json.h"
#include "client/listing.h"
#include "client/picked.h"
#include "proto/error.h"
#include "proto/pack.h"

struct cmd_retry {
    struct filters filters;
    enum option_format format;
};

#define RETRY(member) offsetof(struct cmd_retry, member)
static const struct option_def cmd_retry_defs[] = {
    FILTER_FAILED(RETRY(filters)),
    FILTER_CANCELLED(RETRY(filters)),
    FILTER_OK(RETRY(filters)),
    FILTER_GROUP(RETRY(filters)),
    FILTER_NAME(RETRY(filters)),
    FILTER_SINCE(RETRY(filters)),
    FILTER_UNTIL(RETRY(filters)),
    {"output", 'o', OPTION_FORMAT, "id|json|jsonl", "how to print the new tasks",
     RETRY(format)},
};
#undef RETRY

/* What became of them. */
struct cmd_retry_tally {
    const struct context *context;
    struct buf out;
    struct listing listing;
    bool talk; /* stderr is a terminal: say which is which */
    size_t made;
    size_t refused;
    int status; /* of the first refusal */
};

static void cmd_retry_refused(struct cmd_retry_tally *t, const msgpack_object *item)
{
    unsigned long long id = map_uint(item, "id", 0);
    struct bytes state = map_text(item, "state");
    struct bytes sentence = map_text(map_get(item, "error"), "message");
    struct bytes code = map_text(map_get(item, "error"), "code");
    int status =
        code.data ? proto_error_exit(proto_error_from_word(code.data, code.len)) : EXIT_REFUSED;
    if (t->refused++ == 0)
        t->status = status;
    if (t->refused > PICKED_SAID)
        return;
    if (sentence.data && (!state.data || bytes_equal(state, "DONE")))
        context_say(t->context, "%llu: %.*s", id, (int)sentence.len, sentence.data);
    else
        context_say(t->context, "%llu is %.*s: only what is DONE can be retried", id,
                    (int)state.len, state.data ? state.data : "not DONE");
}

static void cmd_retry_item(void *arg, const msgpack_object *item)
{
    struct cmd_retry_tally *t = arg;
    unsigned long long new = map_uint(item, "new", 0);
    if (t->listing.format != FORMAT_ID || new)
        listing_add(&t->out, &t->listing, item);
    if (!new) {
        cmd_retry_refused(t, item);
        return;
    }
    if (++t->made <= PICKED_SAID && t->talk)
        context_say(t->context, "%llu is a retry of %llu", new,
                    (unsigned long long)map_uint(item, "id", 0));
}

static int cmd_retry_end(struct cmd_retry_tally *t)
{
    if (t->talk && t->made > PICKED_SAID)
        context_say(t->context, "and so on: %zu tasks", t->made);
    if (t->refused > PICKED_SAID)
        context_say(t->context, "%zu more were not retried", t->refused - PICKED_SAID);
    listing_end(&t->out, &t->listing);
    int status = context_print(t->context, &t->out);
    return status == EXIT_OK ? t->status : status;
}

static bool cmd_retry_want(const msgpack_object *task)
{
    return !map_get(task, "retried_as") || map_uint(task, "retried_as", 0) == 0;
}

static int cmd_retry_query(const struct context *c, const struct cmd_retry *o, char **words,
                           size_t n, struct pages_query *ret, struct err *err)
{
    struct view view = context_view(c);
    *ret = (struct pages_query){.ids = n > 0 ? words : NULL, .nids = n};
    int r = filters_apply(&o->filters, &view, ret, err);
    if (r < 0)
        return r;
    if (n == 0 && !filters_of_state(&o->filters))
        return err_set(err, -EINVAL,
                       "which tasks? IDs, --failed, --cancelled, …: aioctl help retry");
    if (filters_any(&o->filters, true))
        ret->states = PAGES_DONE;
    return 0;
}

static int cmd_retry_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_retry *o = options;
    struct cmd_retry_tally tally = {
        .context = c,
        .out = BUF_INIT,
        .listing = {.format = o->format == FORMAT_DEFAULT ? FORMAT_ID : o->format, .id = "new"},
        .talk = isatty(STDERR_FILENO)};
    const struct picked_request request = {
        .method = "retry", .item = cmd_retry_item, .arg = &tally};
    _cleanup_(picked_done) struct picked picked = {0};
    struct pages_query query;
    struct err err = ERR_INIT;
    bool filters = filters_any(&o->filters, true);
    int r = cmd_retry_query(c, o, words, n, &query, &err);
    if (r == 0 && !filters && picked_few(words, n)) {
        r = picked_ask_words(c, &request, words, n, &err);
    } else if (r == 0) {
        r = picked_read(&picked, c, &query, filters ? cmd_retry_want : NULL, &err);
        if (r == 0) /* in the order in which they were submitted */
            r = picked_ask(&picked, c, &request, true, &err);
    }
    int status = EXIT_OK;
    if (r == 0 || tally.listing.n > 0)
        status = cmd_retry_end(&tally);
    buf_done(&tally.out);
    return r < 0 ? context_fail(c, &err) : status;
}

const struct command cmd_retry = {
    .name = "retry",
    .synopsis = "ID…\n"
                "       aioctl retry --failed|--cancelled|--ok [OPTION…] [ID…]",
    .summary = "submit finished tasks once more, as they were",
    .text =
        "Prints the new ids, one a line; the old tasks stay as they are. Function, arguments,\n"
        "environment, directory, group and name are the old task's. What options pick leaves\n"
        "out tasks that were retried already. Exits 5 when one that was named is not DONE, 3\n"
        "when nothing matches.",
    .options = cmd_retry_defs,
    .noptions = ARRAY_SIZE(cmd_retry_defs),
    .options_size = sizeof(struct cmd_retry),
    .run = cmd_retry_run,
};
