/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/tasks/life.h"
#include "daemon/tasks/output.h"

static void tasks_open(struct aio_handle *);

/* The slots of the default group: commands wait for disks and networks more than they compute.
 */
static uint32_t tasks_default_slots(void)
{
    enum { SLOTS_MIN = 4 };
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus > SLOTS_MIN ? (uint32_t)cpus : SLOTS_MIN;
}

/* /proc's text form of a uuid as bytes. */
static int tasks_read_boot_id(uint8_t ret[STORE_UUID_BYTES], struct err *err)
{
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    char text[64];
    _cleanup_(defs_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n < 0)
        return err_errno(err, -errno, "%s", path);
    text[n] = '\0';
    size_t nibbles = 0;
    memset(ret, 0, STORE_UUID_BYTES);
    for (const char *c = text; *c && nibbles < 2 * STORE_UUID_BYTES; c++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = strchr(digits, *c);
        if (!digit)
            continue;
        ret[nibbles / 2] |= (uint8_t)((digit - digits) << (nibbles % 2 ? 0 : 4));
        nibbles++;
    }
    return 0;
}

static int tasks_open_output(const char *state_dir, int *ret, struct err *err)
{
    _cleanup_(defs_closep) int dir = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_errno(err, -errno, "%s", state_dir);
    if (mkdirat(dir, "output", 0700) < 0 && errno != EEXIST)
        return err_errno(err, -errno, "%s/output", state_dir);
    *ret = openat(dir, "output", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret < 0 ? err_errno(err, -errno, "%s/output", state_dir) : 0;
}

int tasks_init(struct tasks *tasks, const struct tasks_options *options, struct err *err)
{
    *tasks = (struct tasks){
        .loop = options->loop,
        .sched = &options->loop->sched,
        .store = options->store,
        .owner_uid = options->owner_uid,
        .queued_per_uid = LIMIT_QUEUED_PER_UID,
        .grace_ms = LIMIT_TERM_GRACE_MS,
        .last_id = store_last_id(options->store),
        .output_fd = -1,
    };
    list_init(&tasks->users);
    aio_handle_init(&tasks->opening, tasks_open);
    watchers_init(&tasks->watchers);
    groups_init(&tasks->groups, tasks->sched, &tasks->watchers, tasks_default_slots());
    if (!groups_get(&tasks->groups, group_default))
        return err_set(err, -ENOMEM, "out of memory");
    int r = tasks_read_boot_id(tasks->boot_id, err);
    return r < 0 ? r : tasks_open_output(options->state_dir, &tasks->output_fd, err);
}

void tasks_done(struct tasks *tasks)
{
    if (!tasks->loop)
        return;
    groups_done(&tasks->groups);
    table_done(&tasks->table);
    list_for_each_safe (it, &tasks->users) {
        list_remove(it);
        free(container_of(it, struct user, node));
    }
    defs_closep(&tasks->output_fd);
}

struct user *tasks_user(struct tasks *tasks, uint32_t uid)
{
    list_for_each (it, &tasks->users) {
        struct user *user = container_of(it, struct user, node);
        if (user->uid == uid)
            return user;
    }
    struct user *user = calloc(1, sizeof(*user));
    if (!user)
        return NULL;
    user->uid = uid;
    aio_semaphore_init(&user->reading, tasks->sched, 1);
    user->unlimited = uid == 0 || uid == tasks->owner_uid;
    list_push_back(&tasks->users, &user->node);
    return user;
}

static uint64_t *tasks_counter(struct user *user, enum store_outcome outcome)
{
    struct store_counts *counts = &user->finished;
    return outcome == STORE_OK       ? &counts->ok
           : outcome == STORE_FAILED ? &counts->failed
                                     : &counts->cancelled;
}

void tasks_count(struct user *user, enum store_outcome outcome)
{
    ++*tasks_counter(user, outcome);
}

void tasks_uncount(struct user *user, enum store_outcome outcome)
{
    --*tasks_counter(user, outcome);
}

struct task *tasks_find(const struct tasks *tasks, uint64_t id)
{
    return table_find(&tasks->table, id);
}

static void tasks_changed(struct tasks *tasks)
{
    if (tasks->changed)
        tasks->changed(tasks->changed_ctx);
}

void tasks_add(struct tasks *tasks, struct task *t)
{
    t->user->live[t->state]++;
    t->group->tasks++;
    table_add(&tasks->table, t->id, t);
    tasks_changed(tasks);
}

void tasks_forget(struct task *t)
{
    struct tasks *tasks = t->tasks;
    struct group *group = t->group;
    t->user->live[t->state]--;
    group->tasks--;
    table_remove(&tasks->table, t->id);
    task_free(t);
    if (group->tasks == 0)
        group_sweep(&tasks->groups, group);
    tasks_changed(tasks);
}

/* ---- opening ---- */

/* A callback of its own, so that the one whose fate was told last is no earlier than the
 * others. */
static void tasks_open(struct aio_handle *handle)
{
    struct tasks *tasks = container_of(handle, struct tasks, opening);
    tasks->open = true;
    for (size_t i = 0; i < tasks->table.len; i++) {
        struct task *t = tasks->table.entries[i].task;
        struct aio_future *gate = t ? TAKE_PTR(t->gate) : NULL;
        if (!gate)
            continue;
        if (!aio_future_is_done(gate))
            aio_future_set_result(gate, NULL);
        aio_future_unref(gate);
    }
}

static void tasks_maybe_open(struct tasks *tasks)
{
    if (!tasks->open && tasks->spawner_live && tasks->unsettled == 0 && !tasks->stopping)
        aio_call_soon(tasks->sched, &tasks->opening);
}

void tasks_spawner_live(struct tasks *tasks)
{
    tasks->spawner_live = true;
    tasks_maybe_open(tasks);
}

void tasks_settled(struct tasks *tasks)
{
    tasks->unsettled--;
    tasks_maybe_open(tasks);
}

/* ---- stopping ---- */

void tasks_stop(struct tasks *tasks)
{
    tasks->stopping = true;
    aio_handle_cancel(tasks->sched, &tasks->opening);
    for (size_t i = 0; i < tasks->table.len; i++)
        if (tasks->table.entries[i].task)
            life_cancel(tasks->table.entries[i].task);
}

bool tasks_idle(const struct tasks *tasks)
{
    return tasks->table.live == 0;
}

void tasks_store_failed(struct tasks *tasks, int err)
{
    if (err == -EIO && tasks->broken)
        tasks->broken(tasks->broken_ctx, err);
}

/* ---- submitting ---- */

static int tasks_admit(const struct tasks *tasks, const struct user *user, struct err *err)
{
    uint32_t queued =
        user->live[TASK_PENDING] + user->live[TASK_SUSPENDED] + user->live[TASK_RUNNING];
    if (user->unlimited || queued < tasks->queued_per_uid)
        return 0;
    return err_set(err, -EDQUOT, "%u tasks of this user are live already, which is the limit",
                   tasks->queued_per_uid);
}

static struct store_call *tasks_submit_call(const struct submit *submit, const struct task *t)
{
    struct store_call *call = store_call_new(t->tasks->sched, STORE_SUBMIT);
    if (!call)
        return NULL;
    call->submitted = (struct store_task){
        .id = t->id,
        .uid = t->uid,
        .gid = t->gid,
        .submitted_ns = t->submitted_ns,
        .due_ns = submit->due_ns,
        .due_clock = (uint8_t)submit->due_clock,
        .due_wall_ns = submit->due_wall_ns,
        .client_pid = submit->client_pid,
        .function = (char *)t->function->name,
        .group = t->group->name,
        .name = t->name,
        .title = (char *)t->title,
        .args = value_ref(submit->call->args),
        .env = value_ref(submit->call->env),
        .creds = value_ref((struct value *)submit->creds),
        .retry_of = submit->retry_of,
    };
    memcpy(call->submitted.boot_id, t->tasks->boot_id, sizeof(call->submitted.boot_id));
    call->op.id = t->id;
    call->op.task = &call->submitted;
    return call;
}

/* What a submit awaits. As the commit, it cannot be cancelled: whoever asked learns what the disk
 * said, also when the daemon stops meanwhile. */
static struct aio_future *tasks_accepted_new(struct aio_sched *sched)
{
    static const struct aio_future_ops ops = {.cancel = store_call_keep_waiting};
    struct aio_future *f = malloc(sizeof(*f));
    if (!f)
        return NULL;
    aio_future_init(f, sched, &ops);
    f->refs = 1;
    return f;
}

static struct task *tasks_record(struct tasks *tasks, const struct submit *submit,
                                 struct group *group, struct user *user)
{
    struct task *t = task_new(tasks, tasks->last_id + 1, submit->name, submit->call->title);
    if (!t)
        return NULL;
    t->function = submit->function;
    t->group = group;
    t->user = user;
    t->uid = submit->uid;
    t->gid = submit->gid;
    t->submitted_ns = clock_wall();
    t->since_ns = t->submitted_ns;
    t->due_clock = submit->due_clock;
    t->due_ns = submit->due_ns;
    t->retry_of = submit->retry_of;
    t->accepted = tasks_accepted_new(tasks->sched);
    if (t->accepted && table_reserve(&tasks->table) == 0)
        return t;
    task_free(t);
    return NULL;
}

int tasks_submit(struct tasks *tasks, const struct submit *submit, struct task **ret,
                 struct err *err)
{
    const char *group_name = submit->group ? submit->group : group_default;
    struct group *group = groups_find(&tasks->groups, group_name);
    if (!group)
        return err_set(err, -ENOENT, "there is no group %s", group_name);
    if (!group_is_open(group))
        return err_set(err, -ENOENT, "group %s takes no new tasks: it was removed", group_name);
    struct user *user = tasks_user(tasks, submit->uid);
    if (!user)
        return err_set(err, -ENOMEM, "out of memory");
    int r = tasks_admit(tasks, user, err);
    if (r < 0)
        return r;
    struct task *t = tasks_record(tasks, submit, group, user);
    struct store_call *call = t ? tasks_submit_call(submit, t) : NULL;
    if (!call || life_submit(t, call) < 0) {
        task_free(t);
        return err_set(err, -ENOMEM, "out of memory");
    }
    tasks->last_id = t->id;
    store_call_start(call, tasks->store);
    tasks_add(tasks, t);
    *ret = t;
    return 0;
}

/* ---- cancelling ---- */

struct store_call *tasks_cancel(struct task *t, uint32_t uid, bool kill)
{
    struct tasks *tasks = t->tasks;
    if (t->ending)
        return NULL;
    struct store_call *call = store_call_new(tasks->sched, STORE_CANCEL);
    if (!call)
        return NULL;
    if (!t->cancel_ns) {
        t->cancel_ns = clock_wall();
        t->cancel_uid = uid;
    }
    t->cancel_kill |= kill;
    call->op.id = t->id;
    call->op.cancel = (struct store_cancel){
        .id = t->id, .wall_ns = t->cancel_ns, .uid = t->cancel_uid, .kill = t->cancel_kill};
    store_call_start(call, tasks->store);
    life_cancel(t);
    return call;
}

/* ---- removing ---- */

struct tasks_removal {
    int output_fd; /* borrowed: outlives the executor */
    size_t n;
    struct tasks_removed tasks[];
};

static int tasks_removal_run(void *arg)
{
    const struct tasks_removal *removal = arg;
    for (size_t i = 0; i < removal->n; i++)
        output_remove(removal->output_fd, removal->tasks[i].id, removal->tasks[i].attempts);
    return 0;
}

void tasks_remove_output(struct tasks *tasks, const struct tasks_removed *removed, size_t n)
{
    if (n == 0)
        return;
    struct tasks_removal *removal = malloc(sizeof(*removal) + n * sizeof(*removed));
    struct aio_future *f = NULL;
    if (removal) {
        removal->output_fd = tasks->output_fd;
        removal->n = n;
        memcpy(removal->tasks, removed, n * sizeof(*removed));
        f = aio_run_in_executor(tasks->loop, tasks_removal_run, free, removal);
    }
    if (!f) { /* no memory: better late than never */
        for (size_t i = 0; i < n; i++)
            output_remove(tasks->output_fd, removed[i].id, removed[i].attempts);
        free(removal);
    }
    aio_future_unref(f);
}
