/* SPDX-License-Identifier: MIT */
/*
 * tasks_load - what a start takes over from the store: groups, counts, and every live task.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/tasks/life.h"
#include "daemon/tasks/tasks.h"

struct tasks_loading {
    struct tasks *tasks;
    struct err *err;
};

static int tasks_load_counts(void *ctx, uint32_t uid, const struct store_counts *counts)
{
    struct tasks_loading *loading = ctx;
    struct user *user = tasks_user(loading->tasks, uid);
    if (!user)
        return err_set(loading->err, -ENOMEM, "out of memory");
    user->finished = *counts;
    return 0;
}

/* A time on the boot clock means nothing after another boot: the wall clock then tells. */
static void tasks_load_due(const struct tasks *tasks, struct task *t,
                           const struct store_task *row)
{
    bool same_boot = memcmp(row->boot_id, tasks->boot_id, sizeof(row->boot_id)) == 0;
    bool wall = row->due_ns && row->due_clock != AIO_WALL && !same_boot;
    t->due_clock = wall ? AIO_WALL : row->due_clock;
    t->due_ns = wall ? row->due_wall_ns : row->due_ns;
}

static int tasks_load_one(void *ctx, struct store_task *row)
{
    struct tasks_loading *loading = ctx;
    struct tasks *tasks = loading->tasks;
    struct bytes name = {row->function, strlen(row->function)};
    const struct function *function = functions_find(&tasks->functions, name);
    if (!function)
        return err_set(loading->err, -EUCLEAN,
                       "task %" PRIu64 " calls %s, a function that this aiod does not have",
                       row->id, row->function);
    struct group *group = groups_get(&tasks->groups, row->group); /* also one nobody knows */
    struct user *user = tasks_user(tasks, row->uid);
    struct task *t = task_new(tasks, row->id, row->name, row->title);
    if (!group || !user || !t || table_reserve(&tasks->table) < 0) {
        task_free(t);
        return err_set(loading->err, -ENOMEM, "out of memory");
    }
    t->function = function;
    t->group = group;
    t->user = user;
    t->uid = row->uid;
    t->gid = row->gid;
    t->submitted_ns = row->submitted_ns;
    t->since_ns = row->submitted_ns;
    t->attempt = row->attempt;
    t->retry_of = row->retry_of;
    t->cancel_ns = row->cancel_ns;
    t->cancel_uid = row->cancel_uid;
    t->cancel_kill = row->cancel_kill;
    tasks_load_due(tasks, t, row);
    if (life_resume(t, row) < 0) {
        task_free(t);
        return err_set(loading->err, -ENOMEM, "out of memory");
    }
    tasks_add(tasks, t);
    return 0;
}

static int tasks_load_group(void *ctx, const struct store_group *said)
{
    struct tasks_loading *loading = ctx;
    if (!groups_command(&loading->tasks->groups, said))
        return err_set(loading->err, -ENOMEM, "out of memory");
    return 0;
}

int tasks_load(struct tasks *tasks, struct err *err)
{
    struct err own = ERR_INIT; /* the store puts a sentence of its own into err */
    struct tasks_loading loading = {tasks, &own};
    int r = store_load_groups(tasks->store, tasks_load_group, &loading, err);
    if (r == 0)
        r = store_load_counts(tasks->store, tasks_load_counts, &loading, err);
    if (r == 0)
        r = store_load_live(tasks->store, tasks_load_one, &loading, err);
    groups_sweep(&tasks->groups);
    if (own.code && err)
        *err = own;
    return r;
}
