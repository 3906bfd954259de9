/* SPDX-License-Identifier: MIT */
/*
 * aioctl status - what every task is doing: the table, some tasks of it, or one in detail.
 *
 * Without words and filters three requests go out at once: what is on the loop, what waits to
 * be, and what ended last.
 */
#include <errno.h>
#include <strings.h>

#include "client/context.h"
#include "client/detail.h"
#include "client/header.h"
#include "client/ids.h"
#include "client/json.h"
#include "client/listing.h"
#include "client/pages.h"
#include "client/table.h"
#include "proto/pack.h"

enum {
    STATUS_PENDING_ROWS = 1000, /* in the first view: they fold into few lines */
    STATUS_DONE_ROWS = 20,      /* likewise: the newest */
    STATUS_LIST_ROWS = 100,     /* of a filtered list without -n or --all */
};

struct cmd_status {
    struct option_texts states;
    bool done;
    bool all;
    bool env;
    const char *group;
    struct option_number rows;
    enum option_format format;
};

#define STATUS(member) offsetof(struct cmd_status, member)
static const struct option_def cmd_status_defs[] = {
    {"state", 's', OPTION_TEXTS, "STATE",
     "only pending, running, suspended or done; repeatable", STATUS(states)},
    {"done", 0, OPTION_FLAG, NULL, "only finished tasks, the newest first", STATUS(done)},
    {"group", 'g', OPTION_TEXT, "GROUP", "only tasks of this group", STATUS(group)},
    {"lines", 'n', OPTION_COUNT, "N", "at most N tasks (100)", STATUS(rows)},
    {"all", 'a', OPTION_FLAG, NULL, "every task there is", STATUS(all)},
    {"env", 0, OPTION_FLAG, NULL, "of one task: show its environment", STATUS(env)},
    {"output", 'o', OPTION_FORMAT, "table|wide|id|json|jsonl", "how to print", STATUS(format)},
};
#undef STATUS

static bool cmd_status_for_people(enum option_format format)
{
    return format == FORMAT_DEFAULT || format == FORMAT_TABLE || format == FORMAT_WIDE;
}

static int cmd_status_check(const struct cmd_status *o, struct err *err)
{
    static const char *const states[] = {"pending", "running", "suspended", "done"};
    for (size_t i = 0; i < o->states.n; i++) {
        bool known = false;
        for (size_t k = 0; k < ARRAY_SIZE(states); k++)
            known = known || strcasecmp(o->states.items[i], states[k]) == 0;
        if (!known)
            return err_set(err, -EINVAL,
                           "--state: \"%s\" is none of pending, running, suspended, done",
                           o->states.items[i]);
    }
    if (o->done && o->states.n > 0)
        return err_set(err, -EINVAL, "--done and --state exclude each other");
    if (o->all && o->rows.given)
        return err_set(err, -EINVAL, "--all and -n exclude each other");
    if (o->rows.given && o->rows.value == 0)
        return err_set(err, -EINVAL, "-n: at least one task");
    return 0;
}

/* The tasks in the format asked for; the table alone, or with lines above and below. */
static int cmd_status_print(struct context *c, const struct cmd_status *o,
                            const struct pages *p, struct buf *above, const char *below)
{
    struct buf out = BUF_INIT;
    struct view view = context_view(c);
    if (!cmd_status_for_people(o->format)) {
        listing_render(&out, o->format, p->tasks, p->n);
        return context_print(c, &out);
    }
    struct table_input input = {
        .tasks = p->tasks,
        .n = p->n,
        .groups = p->nreplies ? map_get(p->replies[0]->result, "groups") : NULL,
        .wide = o->format == FORMAT_WIDE,
    };
    if (above)
        buf_append(&out, above->data, above->len);
    if (above && p->n > 0)
        buf_puts(&out, "\n");
    if (table_render(&out, &input, &view) < 0)
        out.failed = true;
    buf_puts(&out, below);
    return context_print(c, &out);
}

/* Tasks that were named, or that a filter picks. */
static int cmd_status_list(struct context *c, const struct cmd_status *o, char **words,
                           size_t n)
{
    static const char *const done[] = {"DONE"};
    struct pages_query query = {
        .ids = n > 0 ? words : NULL,
        .nids = n,
        .states = o->done ? done : o->states.items,
        .nstates = o->done ? 1 : o->states.n,
        .group = o->group,
        .most = o->all || (n > 0 && !o->rows.given) ? UINT64_MAX
                : o->rows.given                     ? o->rows.value
                                                    : STATUS_LIST_ROWS,
    };
    _cleanup_(pages_done) struct pages pages = {NULL, 0, NULL, 0};
    struct err err = ERR_INIT;
    uint64_t next = 0;
    int r = pages_read(&pages, c, &query, &next, &err);
    if (r < 0)
        return context_fail(c, &err);
    if (n > 0 && pages.n == 0) {
        context_say(c, "nothing matches");
        return EXIT_NOTHING;
    }
    return cmd_status_print(c, o, &pages, NULL, next ? "there are more: -n N or --all\n" : "");
}

static int cmd_status_detail(struct context *c, const struct cmd_status *o, const char *word)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf params = BUF_INIT;
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    pack_map(&params, 2);
    ids_pack_one(&params, word);
    pack_text(&params, "env");
    pack_bool(&params, o->env);
    if (context_call(c, "task", &params, &reply, &err) < 0)
        return context_fail(c, &err);
    struct view view = context_view(c);
    if (cmd_status_for_people(o->format))
        detail_render(&out, reply->result, &view);
    else
        listing_render(&out, o->format, &reply->result, 1);
    return context_print(c, &out);
}

/* A task that ended between two of the requests came twice: its later row is dropped. Returns how
 * many rows are left behind `from`. */
static size_t cmd_status_drop_twice(struct pages *pages, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < pages->n; i++) {
        bool twice = false;
        for (size_t k = 0; k < from && !twice; k++)
            twice = map_uint(pages->tasks[k], "id", 0) == map_uint(pages->tasks[i], "id", 0);
        if (!twice)
            pages->tasks[kept++] = pages->tasks[i];
    }
    pages->n = kept;
    return kept - from;
}

/* The three requests of the first view. */
static int cmd_status_read_all(struct context *c, const struct cmd_status *o,
                               struct pages *pages, size_t *ret_pending, size_t *ret_done,
                               struct err *err)
{
    static const char *const states[] = {"RUNNING", "SUSPENDED", "PENDING", "DONE"};
    const struct pages_query queries[] = {
        {.states = states, .nstates = 2, .ascending = true, .most = PAGES_ROWS},
        {.states = states + 2, .nstates = 1, .ascending = true, .most = STATUS_PENDING_ROWS},
        {.states = states + 3, .nstates = 1, .most = STATUS_DONE_ROWS},
    };
    uint32_t msgids[ARRAY_SIZE(queries)];
    size_t counts[ARRAY_SIZE(queries)] = {0};
    int r = context_connect(c, err);
    for (size_t i = 0; i < ARRAY_SIZE(queries) && r == 0; i++) {
        struct pages_query query = queries[i];
        query.group = o->group;
        r = pages_request(c, &query, 0, query.most, &msgids[i], err);
    }
    for (size_t i = 0; i < ARRAY_SIZE(queries) && r == 0; i++) {
        size_t before = pages->n;
        uint64_t next;
        r = pages_take(pages, c, msgids[i], &next, err);
        counts[i] = cmd_status_drop_twice(pages, before);
    }
    *ret_pending = counts[1];
    *ret_done = counts[2];
    return r;
}

static int cmd_status_overview(struct context *c, const struct cmd_status *o)
{
    _cleanup_(pages_done) struct pages pages = {NULL, 0, NULL, 0};
    _cleanup_(buf_done) struct buf above = BUF_INIT;
    _cleanup_(buf_done) struct buf below = BUF_INIT;
    struct err err = ERR_INIT;
    size_t pending = 0;
    size_t done = 0;
    if (cmd_status_read_all(c, o, &pages, &pending, &done, &err) < 0)
        return context_fail(c, &err);
    struct view view = context_view(c);
    const msgpack_object *status = pages.replies[0]->result;
    header_render(&above, c->hello->result, status, &view);
    if (!o->group)
        header_footer(&below, map_get(status, "counts"), pending, done);
    const char *footer = buf_cstr(&below);
    return cmd_status_print(c, o, &pages, &above, footer ? footer : "");
}

static int cmd_status_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_status *o = options;
    struct err err = ERR_INIT;
    if (cmd_status_check(o, &err) < 0)
        return context_fail(c, &err);
    bool table =
        o->format == FORMAT_TABLE || o->format == FORMAT_WIDE || o->format == FORMAT_ID;
    bool filters = o->states.n > 0 || o->done || o->all || o->rows.given;
    if (n == 1 && ids_single(words[0]) && !table && !filters)
        return cmd_status_detail(c, o, words[0]);
    if (n > 0 || filters)
        return cmd_status_list(c, o, words, n);
    return cmd_status_overview(c, o);
}

const struct command cmd_status = {
    .name = "status",
    .aliases = "ps ls",
    .synopsis = "[OPTION…] [ID…]",
    .summary = "what every task is doing and awaits; one task in detail",
    .text = "Without ID or filter, in every format: all live tasks (of the PENDING at most "
            "1000) and\n"
            "the 20 newest DONE; -a shows everything. An ID is 7, 3-9, last, all (every live "
            "task)\n"
            "or a name: the newest live task of that name, else the newest DONE one. One ID is "
            "shown\n"
            "in detail, with -o table as a row. JSON has the names of the protocol, always an "
            "array.",
    .options = cmd_status_defs,
    .noptions = ARRAY_SIZE(cmd_status_defs),
    .options_size = sizeof(struct cmd_status),
    .run = cmd_status_run,
};
