/* SPDX-License-Identifier: MIT */
/*
 * aioctl group - the groups whose slots tasks share: lists them, makes, changes, pauses and
 * removes them.
 *
 * The first word says what to do, the others are names; one request a name, and one that fails
 * does not keep the others from being done.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/context.h"
#include "client/grid.h"
#include "client/listing.h"
#include "proto/pack.h"

struct cmd_group {
    struct option_number slots;
    bool all;
    enum option_format format;
};

#define GROUP(member) offsetof(struct cmd_group, member)
static const struct option_def cmd_group_defs[] = {
    {"slots", 0, OPTION_COUNT, "N", "new, set: so many of its tasks run at once", GROUP(slots)},
    {"all", 'a', OPTION_FLAG, NULL, "pause, resume: every group", GROUP(all)},
    {"output", 'o', OPTION_FORMAT, "table|id|json|jsonl", "how to print", GROUP(format)},
};
#undef GROUP

/* ---- what to do ---- */

enum group_action { GROUP_LIST, GROUP_NEW, GROUP_SET, GROUP_PAUSE, GROUP_RESUME, GROUP_RM };

static const struct group_verb {
    const char *name;
    bool slots; /* needs --slots */
    bool all;   /* knows --all */
} group_verbs[] = {
    [GROUP_LIST] = {"list", false, false},    [GROUP_NEW] = {"new", true, false},
    [GROUP_SET] = {"set", true, false},       [GROUP_PAUSE] = {"pause", false, true},
    [GROUP_RESUME] = {"resume", false, true}, [GROUP_RM] = {"rm", false, false},
};

struct cmd_group_run {
    struct context *context;
    const struct cmd_group *options;
    enum group_action action;
    struct buf out;
    struct listing listing;
    int status;
};

static int cmd_group_check(const struct cmd_group *o, const struct group_verb *verb,
                           size_t names, struct err *err)
{
    bool list = verb == &group_verbs[GROUP_LIST];
    if (list && names > 0)
        return err_set(err, -EINVAL, "list takes no words");
    if (o->all && !verb->all)
        return err_set(err, -EINVAL, "--all is for pause and resume");
    if (o->slots.given && !verb->slots)
        return err_set(err, -EINVAL, "--slots is for new and set");
    if (!list && (names > 0) == o->all)
        return err_set(err, -EINVAL, o->all ? "either names or --all" : "which group?");
    if (verb->slots && !o->slots.given)
        return err_set(err, -EINVAL, "how many slots? %s NAME --slots N", verb->name);
    if (o->slots.given && o->slots.value == 0)
        return err_set(err, -EINVAL,
                       "--slots: 0 would never start anything: aioctl group pause NAME");
    return 0;
}

/* ---- the list ---- */

static void cmd_group_row(struct grid *g, const msgpack_object *group)
{
    struct bytes name = map_text(group, "name");
    struct bytes from = map_text(group, "from");
    grid_add(g, name.data, name.len);
    grid_number(g, map_uint(group, "slots", 0));
    grid_number(g, map_uint(group, "held", 0));
    grid_number(g, map_uint(group, "waiting", 0));
    grid_puts(g, map_bool(group, "paused", false) ? "paused" : "-");
    grid_add(g, from.data, from.len);
}

static void cmd_group_table(struct buf *b, const msgpack_object_array *groups)
{
    static const char *const names[] = {"GROUP", "SLOTS", "HELD", "WAITING", "PAUSED", "FROM"};
    struct grid g = {.columns = 6, .right = {false, true, true, true}};
    for (size_t i = 0; i < 6; i++)
        grid_puts(&g, names[i]);
    for (uint32_t i = 0; i < groups->size; i++)
        cmd_group_row(&g, &groups->ptr[i]);
    grid_render(b, &g);
}

static int cmd_group_groups(struct context *c, struct reply **ret, struct err *err)
{
    int r = context_call(c, "groups", NULL, ret, err);
    if (r == 0 && (*ret)->result->type != MSGPACK_OBJECT_ARRAY)
        r = err_set(err, -EPROTO, "the event loop's answer is no list of groups");
    return r;
}

static int cmd_group_list(struct context *c, enum option_format format)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    if (cmd_group_groups(c, &reply, &err) < 0)
        return context_fail(c, &err);
    const msgpack_object_array *groups = &reply->result->via.array;
    if (format == FORMAT_DEFAULT || format == FORMAT_TABLE) {
        cmd_group_table(&out, groups);
        return context_print(c, &out);
    }
    struct listing listing = {.format = format, .id = "name"};
    for (uint32_t i = 0; i < groups->size; i++)
        listing_add(&out, &listing, &groups->ptr[i]);
    listing_end(&out, &listing);
    return context_print(c, &out);
}

/* ---- one group ---- */

static void cmd_group_pack(struct buf *b, const struct cmd_group_run *g, struct bytes name)
{
    struct pack_map_place map = pack_map_begin(b);
    pack_key(b, &map, "name");
    pack_text_n(b, name.data, name.len);
    if (g->options->slots.given) {
        pack_key(b, &map, "slots");
        pack_uint(b, g->options->slots.value);
    }
    if (g->action == GROUP_PAUSE || g->action == GROUP_RESUME) {
        pack_key(b, &map, "paused");
        pack_bool(b, g->action == GROUP_PAUSE);
    }
    if (g->action == GROUP_NEW || g->action == GROUP_RM) {
        pack_key(b, &map, g->action == GROUP_NEW ? "new" : "remove");
        pack_bool(b, true);
    }
    pack_map_end(b, &map);
}

/* What is so now, on a terminal. */
static void cmd_group_say(const struct cmd_group_run *g, struct bytes name,
                          const msgpack_object *group)
{
    const struct context *c = g->context;
    int len = (int)name.len;
    unsigned long long slots = map_uint(group, "slots", 0);
    unsigned long long held = map_uint(group, "held", 0);
    unsigned long long waiting = map_uint(group, "waiting", 0);
    if (!isatty(STDERR_FILENO))
        return;
    if (g->action == GROUP_RM && !map_get(group, "slots"))
        context_say(c, "%.*s is removed", len, name.data);
    else if (g->action == GROUP_RM)
        context_say(c, "%.*s is removed, or again as the configuration file has it", len,
                    name.data);
    else if (g->action == GROUP_PAUSE)
        context_say(c, "%.*s is paused: nothing starts; %llu running, %llu waiting", len,
                    name.data, held, waiting);
    else
        context_say(c, "%.*s: %llu of %llu slots held, %llu waiting%s", len, name.data, held,
                    slots, waiting, map_bool(group, "paused", false) ? ", paused" : "");
}

static void cmd_group_do(struct cmd_group_run *g, struct bytes name)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf params = BUF_INIT;
    struct err err = ERR_INIT;
    cmd_group_pack(&params, g, name);
    if (context_call(g->context, "group", &params, &reply, &err) < 0) {
        int status = context_fail(g->context, &err);
        g->status = g->status == EXIT_OK ? status : g->status;
        return;
    }
    if (g->listing.format == FORMAT_DEFAULT || g->listing.format == FORMAT_TABLE)
        cmd_group_say(g, name, reply->result);
    else
        listing_add(&g->out, &g->listing, reply->result);
}

static void cmd_group_do_all(struct cmd_group_run *g)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct err err = ERR_INIT;
    if (cmd_group_groups(g->context, &reply, &err) < 0) {
        g->status = context_fail(g->context, &err);
        return;
    }
    for (uint32_t i = 0; i < reply->result->via.array.size; i++)
        cmd_group_do(g, map_text(&reply->result->via.array.ptr[i], "name"));
}

static int cmd_group_act(struct context *c, const struct cmd_group *o, enum group_action action,
                         char **names, size_t n)
{
    struct cmd_group_run g = {.context = c,
                              .options = o,
                              .action = action,
                              .out = BUF_INIT,
                              .listing = {.format = o->format, .id = "name"}};
    if (o->all)
        cmd_group_do_all(&g);
    for (size_t i = 0; i < n && !c->link.broken; i++)
        cmd_group_do(&g, (struct bytes){names[i], strlen(names[i])});
    if (o->format == FORMAT_JSON)
        listing_end(&g.out, &g.listing);
    int status = context_print(c, &g.out);
    return g.status != EXIT_OK ? g.status : status;
}

static int cmd_group_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_group *o = options;
    struct err err = ERR_INIT;
    size_t action = GROUP_LIST;
    while (n > 0 && action < ARRAY_SIZE(group_verbs) &&
           strcmp(group_verbs[action].name, words[0]) != 0)
        action++;
    if (action == ARRAY_SIZE(group_verbs)) {
        context_say(c, "%s: it is list, new, set, pause, resume or rm: aioctl help group",
                    words[0]);
        return EXIT_USAGE;
    }
    size_t names = n > 0 ? n - 1 : 0;
    if (cmd_group_check(o, &group_verbs[action], names, &err) < 0)
        return context_fail(c, &err);
    if (action == GROUP_LIST)
        return cmd_group_list(c, o->format);
    return cmd_group_act(c, o, (enum group_action)action, words + 1, names);
}

const struct command cmd_group = {
    .name = "group",
    .aliases = "groups",
    .synopsis = "[list] [OPTION…]\n"
                "       aioctl group new|set NAME… --slots N\n"
                "       aioctl group pause|resume NAME…|--all\n"
                "       aioctl group rm NAME…",
    .summary = "groups of tasks and their slots: list, make, change, pause (asyncio.Semaphore)",
    .text =
        "A task takes a slot of its group while it runs. A paused group starts nothing; what\n"
        "runs goes on. What is set here wins over the configuration file, also after a\n"
        "restart; rm takes it back, or removes a group that the file does not have and that\n"
        "has no live task. Only root and the owner of the event loop may change groups.",
    .options = cmd_group_defs,
    .noptions = ARRAY_SIZE(cmd_group_defs),
    .options_size = sizeof(struct cmd_group),
    .run = cmd_group_run,
};
