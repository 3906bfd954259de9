/* SPDX-License-Identifier: MIT */
/*
 * group - makes, changes, pauses, resumes or removes a group.
 *
 * begin checks who asks → awaits its turn: one such command at a time, so that each builds on
 * what the one before it did → locked checks what is asked, awaits that it is on disk →
 * recorded makes it so.
 *
 * How it fails. Refused, or the disk is full: nothing has changed. If the client leaves while the
 * commit is under way, the command is carried out all the same.
 */
#include <errno.h>
#include <string.h>

#include "daemon/control/call.h"
#include "daemon/control/control.h"
#include "daemon/control/methods.h"
#include "daemon/control/names.h"
#include "daemon/tasks/view.h"

struct group_params {
    struct bytes name;
    uint64_t slots;
    bool paused;
    bool create; /* "new" */
    bool remove;
};

static const struct field group_fields[] = {
    {"name", FIELD_TEXT, true, offsetof(struct group_params, name), LIMIT_NAME_BYTES},
    {"slots", FIELD_UINT, false, offsetof(struct group_params, slots), LIMIT_GROUP_SLOTS},
    {"paused", FIELD_BOOL, false, offsetof(struct group_params, paused), 0},
    {"new", FIELD_BOOL, false, offsetof(struct group_params, create), 0},
    {"remove", FIELD_BOOL, false, offsetof(struct group_params, remove), 0},
};

struct group_frame {
    struct method_frame head;
    struct group_params p;
    bool pauses;             /* paused was given */
    bool locked;             /* it is its turn */
    char *name;              /* owned */
    struct store_call *call; /* counted: the record */
};

static struct aio_next group_locked(struct aio_co *);
static struct aio_next group_recorded(struct aio_co *);

static struct group_frame *group_frame_of(struct aio_co *co)
{
    return container_of(co, struct group_frame, head.co);
}

static void group_frame_done(struct aio_co *co)
{
    struct group_frame *f = group_frame_of(co);
    if (f->locked)
        aio_semaphore_release(&f->head.call->control->group_commands);
    store_call_unref(f->call);
    defs_freep(&f->name);
}

static bool group_given(const struct call *call, const char *field)
{
    const msgpack_object *o = map_get(call->params, field);
    return o && o->type != MSGPACK_OBJECT_NIL;
}

static struct aio_next group_begin(struct aio_co *co)
{
    struct group_frame *f = group_frame_of(co);
    struct call *call = f->head.call;
    struct control *control = call->control;
    if (call_params(call, group_fields, ARRAY_SIZE(group_fields), &f->p) < 0)
        return call_raise(call, co);
    f->pauses = group_given(call, "paused");
    bool slots = group_given(call, "slots");
    if (slots && f->p.slots == 0)
        return call_fail(call, co, -EINVAL,
                         "\"slots\" must be at least 1: pause the group instead");
    if (f->p.remove && (slots || f->pauses || f->p.create))
        return call_fail(call, co, -EINVAL, "\"remove\" goes alone");
    if (call->peer->uid != 0 && call->peer->uid != control->owner_uid)
        return call_fail(call, co, -EACCES,
                         "only root and uid %u may change groups here: an instance of your own "
                         "(aioctl --user) has groups of your own",
                         control->owner_uid);
    f->name = bytes_dup(f->p.name);
    if (!f->name)
        return aio_raise(co, -ENOMEM, NULL);
    return aio_delegate(co, aio_semaphore_acquire(&control->group_commands),
                        STEP(group_locked));
}

static struct aio_next group_answer(struct aio_co *co, const struct group *group, bool gone)
{
    struct buf b = BUF_INIT;
    view_group(&b, group, gone);
    return call_return(co, &b);
}

static struct aio_next group_record(struct group_frame *f, enum store_verb verb,
                                    const struct store_group *said)
{
    struct tasks *tasks = f->head.call->control->tasks;
    f->call = store_call_new(tasks->sched, verb);
    if (!f->call)
        return aio_raise(&f->head.co, -ENOMEM, NULL);
    f->call->op.group = *said;
    return aio_await_try(&f->head.co, store_call_start(f->call, tasks->store),
                         STEP(group_recorded));
}

/* What a command said of a group of the file or of the default one is taken back; any other
 * group goes. */
static struct aio_next group_remove(struct group_frame *f, struct group *group)
{
    struct call *call = f->head.call;
    struct aio_co *co = &f->head.co;
    bool is_default = strcmp(f->name, group_default) == 0;
    if ((is_default || group->file_slots) && !group->set_slots && !group->paused)
        return is_default
                   ? call_fail(call, co, -EINVAL, "group %s is always there", f->name)
                   : call_fail(call, co, -EINVAL,
                               "group %s is in the configuration file: take it out there",
                               f->name);
    if (!is_default && !group->file_slots) {
        if (group->tasks)
            return call_fail(call, co, -EINPROGRESS,
                             "group %s has %u live tasks: await or cancel them first", f->name,
                             group->tasks);
        group->leaving = true;
    }
    return group_record(f, STORE_GROUP_FORGET, &(struct store_group){.name = f->name});
}

static struct aio_next group_locked(struct aio_co *co)
{
    struct group_frame *f = group_frame_of(co);
    struct call *call = f->head.call;
    struct groups *groups = &call->control->tasks->groups;
    struct group *group = groups_find(groups, f->name);
    f->locked = true;
    if (f->p.create && group)
        return call_fail(call, co, -EEXIST, "there is a group %s already", f->name);
    if (!f->p.create && !group)
        return call_fail(call, co, -ENOENT, "there is no group %s", f->name);
    if (f->p.remove)
        return group_remove(f, group);
    if (f->p.create && groups->count >= LIMIT_TASK_GROUPS)
        return call_fail(call, co, -EDQUOT, "there are %u groups, which is the limit",
                         groups->count);
    if (f->p.create && name_check("name", f->name, &call->err) < 0)
        return call_raise(call, co);
    if (!f->p.create && !f->p.slots && !f->pauses)
        return group_answer(co, group, false);
    if (f->p.create && !f->p.slots)
        f->p.slots = groups->fallback;
    const struct store_group said = {
        .name = f->name,
        .slots = (uint32_t)f->p.slots,
        .paused = f->pauses || f->p.create ? f->p.paused : -1,
    };
    return group_record(f, STORE_GROUP, &said);
}

static struct aio_next group_forgotten(struct group_frame *f)
{
    struct groups *groups = &f->head.call->control->tasks->groups;
    struct group *group = groups_find(groups, f->name); /* there: until now it was not idle */
    int err = f->call->op.err;
    if (err == -ENOENT) /* nothing was kept of what was said of it */
        err = 0;
    if (err < 0) {
        group->leaving = false;
        return aio_raise(&f->head.co, err, NULL);
    }
    group_command_forget(groups, group);
    struct aio_next next = group_answer(&f->head.co, group, !group_is_open(group));
    groups_sweep(groups);
    return next;
}

static struct aio_next group_recorded(struct aio_co *co)
{
    struct group_frame *f = group_frame_of(co);
    struct tasks *tasks = f->head.call->control->tasks;
    tasks_store_failed(tasks, f->call->op.err);
    if (f->p.remove)
        return group_forgotten(f);
    if (f->call->op.err < 0)
        return aio_raise(co, f->call->op.err, NULL);
    struct group *group = groups_command(&tasks->groups, &f->call->op.group);
    if (!group)
        return aio_raise(co, -ENOMEM, NULL);
    struct aio_next next = group_answer(co, group, false);
    groups_sweep(&tasks->groups);
    return next;
}

const struct aio_co_fn method_group = {"group", sizeof(struct group_frame),
                                       STEP_INIT(group_begin), group_frame_done};
