/* SPDX-License-Identifier: MIT */
/*
 * aioctl status - what every task is doing: the overview, some tasks, or one in detail; once, or
 * again and again (--watch).
 *
 * People get what status_view shows; programs get every task as it comes, page after page.
 */
#include <errno.h>
#include <string.h>

#include "client/context.h"
#include "client/ids.h"
#include "client/listing.h"
#include "client/status_view.h"
#include "client/watch.h"
#include "proto/pack.h"

enum { STATUS_LIST_ROWS = 100 }; /* of a filtered list without -n or --all */

struct cmd_status {
    struct filters filters;
    bool all;
    bool env;
    bool watch;
    struct option_number rows;
    enum option_format format;
};

#define STATUS(member) offsetof(struct cmd_status, member)
static const struct option_def cmd_status_defs[] = {
    FILTER_STATE(STATUS(filters)),
    FILTER_LIVE(STATUS(filters)),
    FILTER_DONE(STATUS(filters)),
    FILTER_OK(STATUS(filters)),
    FILTER_FAILED(STATUS(filters)),
    FILTER_CANCELLED(STATUS(filters)),
    FILTER_GROUP(STATUS(filters)),
    FILTER_NAME(STATUS(filters)),
    FILTER_SINCE(STATUS(filters)),
    FILTER_UNTIL(STATUS(filters)),
    {"lines", 'n', OPTION_COUNT, "N", "at most N tasks (100); alone: N of those DONE (20)",
     STATUS(rows)},
    {"all", 'a', OPTION_FLAG, NULL, "every task there is, the newest first", STATUS(all)},
    {"watch", 'w', OPTION_FLAG, NULL, "draw it again whenever something changes",
     STATUS(watch)},
    {"env", 0, OPTION_FLAG, NULL, "of one task: show its environment", STATUS(env)},
    {"output", 'o', OPTION_FORMAT, "table|wide|id|json|jsonl", "how to print", STATUS(format)},
};
#undef STATUS

static bool cmd_status_for_people(const struct cmd_status *o)
{
    return o->format == FORMAT_DEFAULT || o->format == FORMAT_TABLE || o->format == FORMAT_WIDE;
}

/* What was asked for: one task, some, or the overview. */
static enum status_mode cmd_status_mode(const struct cmd_status *o, char *const *words,
                                        size_t n)
{
    bool filters = filters_any(&o->filters, false) || o->all || (n > 0 && o->rows.given);
    bool list = o->format == FORMAT_TABLE || o->format == FORMAT_WIDE || o->format == FORMAT_ID;
    if (n == 1 && ids_single(words[0]) && !filters && !o->filters.group && !list)
        return STATUS_DETAIL;
    return n > 0 || filters ? STATUS_LIST : STATUS_OVERVIEW;
}

static int cmd_status_check(const struct cmd_status *o, enum status_mode mode, struct err *err)
{
    if (o->rows.given && o->rows.value == 0 && mode != STATUS_OVERVIEW)
        return err_set(err, -EINVAL, "-n: at least one task");
    if (o->watch && !cmd_status_for_people(o))
        return err_set(
            err, -EINVAL,
            "--watch draws tables; for programs there is: aioctl events -f -o jsonl");
    return 0;
}

static uint64_t cmd_status_rows(const struct cmd_status *o, enum status_mode mode, size_t n)
{
    if (o->rows.given)
        return o->rows.value;
    if (mode == STATUS_OVERVIEW)
        return OVERVIEW_DONE_ROWS;
    return o->all || n > 0 ? UINT64_MAX : STATUS_LIST_ROWS;
}

/* ---- for programs ---- */

struct cmd_status_sink {
    struct context *context;
    const struct status_view *view;
    struct listing listing;
    bool begun; /* the first page was checked */
    int status;
};

static int cmd_status_page(void *arg, const struct pages *page, struct err *err)
{
    struct cmd_status_sink *sink = arg;
    struct buf out = BUF_INIT;
    int r = sink->begun ? 0 : status_view_check(sink->view, page, err);
    sink->begun = true;
    if (r < 0)
        return r;
    for (size_t i = 0; i < page->n; i++)
        listing_add(&out, &sink->listing, page->tasks[i]);
    sink->status = context_print(sink->context, &out);
    return sink->status == EXIT_OK ? 0 : err_set(err, -EPIPE, "nobody reads the output");
}

static int cmd_status_write_list(struct cmd_status_sink *sink, struct err *err)
{
    struct pages_query query;
    struct view view = context_view(sink->context);
    int r = status_view_query(sink->view, &view, &query, err);
    return r == 0 ? pages_each(sink->context, &query, cmd_status_page, sink, NULL, err) : r;
}

static int cmd_status_write_overview(struct cmd_status_sink *sink, struct err *err)
{
    struct overview overview = {.pages = {NULL, 0, NULL, 0}};
    struct overview_query query = {.group = sink->view->filters->group,
                                   .done_rows = sink->view->rows};
    struct view view = context_view(sink->context);
    int r = overview_read(&overview, sink->context, &query, &view, err);
    if (r == 0)
        r = cmd_status_page(sink, &overview.pages, err);
    overview_done(&overview);
    return r;
}

static int cmd_status_write_one(struct cmd_status_sink *sink, struct status_view *s,
                                struct err *err)
{
    struct view view = context_view(sink->context);
    struct buf out = BUF_INIT;
    int r = status_view_read(s, sink->context, &view, err);
    if (r == 0 && s->mode == STATUS_LIST)
        return cmd_status_page(sink, &s->pages, err);
    if (r < 0)
        return r;
    listing_add(&out, &sink->listing, s->detail->result);
    sink->status = context_print(sink->context, &out);
    return 0;
}

static int cmd_status_write(struct context *c, const struct cmd_status *o,
                            struct status_view *s)
{
    struct cmd_status_sink sink = {.context = c, .view = s, .listing = {.format = o->format}};
    struct buf end = BUF_INIT;
    struct err err = ERR_INIT;
    int r;
    if (s->mode == STATUS_DETAIL)
        r = cmd_status_write_one(&sink, s, &err);
    else if (s->mode == STATUS_LIST)
        r = cmd_status_write_list(&sink, &err);
    else
        r = cmd_status_write_overview(&sink, &err);
    if (sink.status != EXIT_OK)
        return sink.status;
    if (r < 0)
        return context_fail(c, &err);
    listing_end(&end, &sink.listing);
    return context_print(c, &end);
}

/* ---- for people ---- */

static int cmd_status_show(struct context *c, struct status_view *s)
{
    struct view view = context_view(c);
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    if (status_view_read(s, c, &view, &err) < 0)
        return context_fail(c, &err);
    if (status_view_empty(s))
        context_say(c, "no task matches");
    status_view_render(&out, s, c->hello->result, &view);
    return context_print(c, &out);
}

/* Whether all words are numbers: others may mean other tasks later. */
static bool cmd_status_numbers(char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (words[i][strspn(words[i], "0123456789")])
            return false;
    }
    return n > 0;
}

static void cmd_status_pack(void *arg, struct buf *params, bool again)
{
    (void)again;
    const struct status_view *s = arg;
    if (s->mode == STATUS_OVERVIEW)
        return; /* its first lines are about all tasks */
    struct pack_map_place map = pack_map_begin(params);
    if (cmd_status_numbers(s->words, s->nwords)) {
        ids_pack(params, s->words, s->nwords);
        map.n++;
    }
    if (s->filters->group) {
        pack_key(params, &map, "group");
        pack_text(params, s->filters->group);
    }
    pack_map_end(params, &map);
}

static int cmd_status_read(void *arg, struct context *c, const struct view *view,
                           struct err *err)
{
    return status_view_read(arg, c, view, err);
}

static void cmd_status_render(void *arg, struct buf *b, const struct context *c,
                              const struct view *view)
{
    if (status_view_empty(arg))
        buf_puts(b, "no task matches\n");
    status_view_render(b, arg, c->hello->result, view);
}

static int cmd_status_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_status *o = options;
    struct err err = ERR_INIT;
    struct view view = context_view(c);
    struct pages_query query;
    enum status_mode mode = cmd_status_mode(o, words, n);
    struct status_view s = {
        .mode = mode,
        .filters = &o->filters,
        .words = words,
        .nwords = n,
        .rows = cmd_status_rows(o, mode, n),
        .wide = o->format == FORMAT_WIDE,
        .env = o->env,
    };
    if (cmd_status_check(o, mode, &err) < 0 || status_view_query(&s, &view, &query, &err) < 0)
        return context_fail(c, &err);
    int status;
    if (o->watch) {
        const struct watch_source source = {cmd_status_pack, cmd_status_read, cmd_status_render,
                                            &s};
        status = watch_run(c, &source);
    } else if (cmd_status_for_people(o)) {
        status = cmd_status_show(c, &s);
    } else {
        status = cmd_status_write(c, o, &s);
    }
    status_view_done(&s);
    return status;
}

const struct command cmd_status = {
    .name = "status",
    .aliases = "ps ls",
    .synopsis = "[OPTION…] [ID…]",
    .summary = "what every task is doing and awaits; one task in detail",
    .text =
        "Without ID or filter: all live tasks and the newest DONE (-n 0: none); -a lists\n"
        "every task, the newest first. An ID is 7, 3-9, last, all (every live task) or a\n"
        "name. One ID is shown in detail, with -o table as a row. States and outcomes add\n"
        "up: --live --failed. TIME is when a task entered its present state: 2h (ago), 14:00,\n"
        "today, \"yesterday 08:00\", 2025-12-24. JSON has the names of the protocol, always "
        "an\n"
        "array. --watch ends with q or Ctrl-C; where its output is no terminal, each change\n"
        "prints the table once more.",
    .options = cmd_status_defs,
    .noptions = ARRAY_SIZE(cmd_status_defs),
    .options_size = sizeof(struct cmd_status),
    .run = cmd_status_run,
};
