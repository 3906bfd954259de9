/* SPDX-License-Identifier: MIT */
/*
 * retry - submits finished tasks again: a new task each, with what the old one was called with.
 *
 * begin → selected awaits that no other retry of this user reads → next has the rows of at most RETRY_AHEAD of them read, and takes them one by one: a
 * live one is refused, of the others the row is awaited (found) and the new task is made, whose
 * commit is not awaited yet, so that many share one → accept awaits them all, in order → answer.
 * Both sides of a retry, retry_of and retried_as, are one transaction of the store's.
 *
 * How it fails. A task that is not there, or is another user's, ends it: what was submitted
 * before stays. Whatever else speaks against one task is said in its row. The client leaves:
 * what was submitted stays.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/answers.h"
#include "daemon/control/control.h"
#include "daemon/control/lookup.h"
#include "daemon/control/methods.h"
#include "daemon/control/select.h"
#include "proto/error.h"

struct retry_params {
    const msgpack_object *ids;
};

static const struct field retry_fields[] = {
    {"ids", FIELD_OBJECT, true, offsetof(struct retry_params, ids), 0},
};

/* What became of one. */
struct retried {
    uint64_t id;
    uint64_t new_id;             /* 0: refused */
    struct aio_future *accepted; /* counted; until it is told */
    char *message;               /* owned: why it was refused */
    int err;
    enum task_state state;
};

enum { RETRY_AHEAD = 64 }; /* each may be a megabyte */

struct retry {
    struct method_frame head;
    struct retry_params p;
    struct selection selection; /* owned */
    size_t at;                  /* in the selection: the next one to take */
    struct user *reader;        /* borrowed: whose permit to read it holds; or NULL */
    size_t asked;               /* likewise: the next one to read */
    struct store_call *reads[RETRY_AHEAD]; /* a ring, counted; NULL: it is live */
    struct retried *retried;               /* owned */
    size_t n;                              /* of them */
    size_t told;                           /* of them: their commit is known */
    struct answers answers;                /* owned */
};

static struct aio_next retry_permitted(struct aio_co *);
static struct aio_next retry_next(struct aio_co *);
static struct aio_next retry_found(struct aio_co *);
static struct aio_next retry_accept(struct aio_co *);
static struct aio_next retry_accepted(struct aio_co *);

static struct retry *retry_of(struct aio_co *co)
{
    return container_of(co, struct retry, head.co);
}

static void retry_end_reading(struct retry *r)
{
    struct user *reader = TAKE_PTR(r->reader);
    if (reader)
        aio_semaphore_release(&reader->reading);
}

static void retry_done(struct aio_co *co)
{
    struct retry *r = retry_of(co);
    retry_end_reading(r);
    for (size_t i = 0; i < r->n; i++) {
        aio_future_unref(r->retried[i].accepted);
        free(r->retried[i].message);
    }
    free(r->retried);
    selection_done(&r->selection);
    for (size_t i = 0; i < RETRY_AHEAD; i++)
        store_call_unref(r->reads[i]);
    answers_end(&r->answers);
}

static struct aio_next retry_selected(struct aio_co *co)
{
    struct retry *r = retry_of(co);
    if (r->selection.len > LIMIT_RETRIED)
        return call_fail(r->head.call, co, -EDQUOT, "more than %u tasks in one retry",
                         LIMIT_RETRIED);
    r->retried = calloc(r->selection.len + 1, sizeof(*r->retried));
    struct user *user = tasks_user(r->head.call->control->tasks, r->head.call->peer->uid);
    if (!r->retried || !user)
        return aio_raise(co, -ENOMEM, NULL);
    return aio_delegate(co, aio_semaphore_acquire(&user->reading), STEP(retry_permitted));
}

static struct aio_next retry_permitted(struct aio_co *co)
{
    struct retry *r = retry_of(co);
    r->reader = tasks_user(r->head.call->control->tasks, r->head.call->peer->uid);
    return retry_next(co);
}

static struct aio_next retry_begin(struct aio_co *co)
{
    struct retry *r = retry_of(co);
    struct call *call = r->head.call;
    if (call_params(call, retry_fields, ARRAY_SIZE(retry_fields), &r->p) < 0)
        return call_raise(call, co);
    return aio_delegate(co, select_ids(call, r->p.ids, &r->selection), STEP(retry_selected));
}

static void retry_refuse(struct retried *one, const struct err *err)
{
    one->new_id = 0;
    one->err = err->code;
    free(one->message);
    one->message = strdup(err->msg);
}

/* 0 or -ENOMEM. */
static int retry_read_ahead(struct retry *r)
{
    struct call *call = r->head.call;
    for (; r->asked < r->selection.len && r->asked - r->at < RETRY_AHEAD; r->asked++) {
        uint64_t id = r->selection.ids[r->asked].id;
        struct store_call **place = &r->reads[r->asked % RETRY_AHEAD];
        if (!call_task(call, id) && !(*place = lookup_start(call, id)))
            return -ENOMEM;
    }
    return 0;
}

static void retry_refuse_live(struct retry *r, uint64_t id)
{
    const struct task *t = call_task(r->head.call, id);
    struct err err = ERR_INIT;
    struct retried *one = &r->retried[r->n++];
    one->id = id;
    one->state = t ? t->state : TASK_DONE; /* it has ended since */
    err_set(&err, -EINPROGRESS, "task %llu is not done", (unsigned long long)id);
    retry_refuse(one, &err);
}

static struct aio_next retry_next(struct aio_co *co)
{
    struct retry *r = retry_of(co);
    for (;;) {
        if (retry_read_ahead(r) < 0)
            return aio_raise(co, -ENOMEM, NULL);
        if (r->at == r->selection.len) {
            retry_end_reading(r);
            return aio_goto(co, STEP(retry_accept));
        }
        struct store_call *read = r->reads[r->at % RETRY_AHEAD];
        if (read)
            return aio_await_try(co, &read->future, STEP(retry_found));
        retry_refuse_live(r, r->selection.ids[r->at++].id);
    }
}

/* ---- who may ---- */

static bool retry_in_group(const struct peer *peer, uint32_t gid)
{
    if (peer->gid == gid)
        return true;
    for (size_t i = 0; peer->groups && i + sizeof(gid) <= peer->groups->len; i += sizeof(gid))
        if (memcmp(peer->groups->bytes + i, &gid, sizeof(gid)) == 0)
            return true;
    return false;
}

/* A user gets back by it no group that was taken from them since. */
static int retry_check_groups(const struct peer *peer, const struct store_task *row,
                              struct err *err)
{
    uint32_t gid = row->gid;
    bool all = retry_in_group(peer, gid);
    for (size_t i = 0; all && row->creds && i + sizeof(gid) <= row->creds->len;
         i += sizeof(gid)) {
        memcpy(&gid, row->creds->bytes + i, sizeof(gid));
        all = retry_in_group(peer, gid);
    }
    if (all)
        return 0;
    return err_set(err, -EACCES,
                   "task %llu ran with group %u, which you are not in now: submit it anew",
                   (unsigned long long)row->id, gid);
}

static int retry_check_user(struct call *call, const struct store_task *row, struct err *err)
{
    const struct peer *peer = call->peer;
    if (peer->uid == 0)
        return 0;
    if (peer->uid != row->uid)
        return err_set(err, -EACCES, "task %llu is of uid %u: only that user and root may",
                       (unsigned long long)row->id, row->uid);
    return retry_check_groups(peer, row, err);
}

/* ---- again ---- */

static int retry_submit(struct call *call, const struct store_task *row, struct task **ret,
                        struct err *err)
{
    struct control *control = call->control;
    const struct functions *functions = &control->tasks->functions;
    struct function_call again = {.args = row->args, .env = row->env};
    struct submit s = {
        .uid = row->uid,
        .gid = row->gid,
        .client_pid = call->peer->pid,
        .creds = row->creds,
        .function =
            functions_find(functions, (struct bytes){row->function, strlen(row->function)}),
        .call = &again,
        .name = row->name,
        .group = row->group,
        .retry_of = row->id,
    };
    snprintf(again.title, sizeof(again.title), "%s", row->title);
    int r = retry_check_user(call, row, err);
    if (r == 0 && !s.function)
        r = err_set(err, -ENOENT, "there is no function %s any more", row->function);
    if (r == 0 && s.function->slot)
        r = control->may_run(control->ctx, s.uid, err);
    return r < 0 ? r : tasks_submit(control->tasks, &s, ret, err);
}

static void retry_again(struct retry *r, const struct store_task *row)
{
    struct retried *one = &r->retried[r->n++];
    struct task *t = NULL;
    struct err err = ERR_INIT;
    one->id = row->id;
    one->state = TASK_DONE;
    if (retry_submit(r->head.call, row, &t, &err) < 0) {
        retry_refuse(one, &err);
        return;
    }
    one->new_id = t->id;
    one->accepted = aio_future_ref(t->accepted);
}

static struct aio_next retry_found(struct aio_co *co)
{
    struct retry *r = retry_of(co);
    struct call *call = r->head.call;
    const struct selected *selected = &r->selection.ids[r->at];
    struct store_call **read = &r->reads[r->at++ % RETRY_AHEAD];
    int err = aio_outcome(co, NULL);
    if (err < 0 && err != -ENOENT)
        return aio_raise(co, err, NULL);
    const struct store_task *row = lookup_answer(call, *read);
    if (row)
        retry_again(r, row);
    *read = store_call_unref(*read);
    if (!row && !selected->optional)
        return call_fail(call, co, -ENOENT, "there is no task %llu",
                         (unsigned long long)selected->id);
    return retry_next(co);
}

static struct aio_next retry_accept(struct aio_co *co)
{
    struct retry *r = retry_of(co);
    while (r->told < r->n && !r->retried[r->told].accepted)
        r->told++;
    if (r->told < r->n)
        return aio_await_try(co, r->retried[r->told].accepted, STEP(retry_accepted));
    for (size_t i = 0; i < r->n; i++) {
        const struct retried *one = &r->retried[i];
        struct buf *b = answers_add(&r->answers, one->err < 0);
        pack_map(b, one->err < 0 ? 4 : 3);
        pack_text(b, "id");
        pack_uint(b, one->id);
        pack_text(b, "new");
        if (one->new_id)
            pack_uint(b, one->new_id);
        else
            pack_nil(b);
        pack_text(b, "state");
        pack_text(b, task_state_name(one->state));
        if (one->err < 0) {
            pack_text(b, "error");
            pack_map(b, 2);
            pack_text(b, "code");
            pack_text(b, proto_error_word(one->err));
            pack_text(b, "message");
            pack_sentence(b, one->message ? one->message : strerror(-one->err));
        }
    }
    return answers_return(&r->answers, co);
}

/* What the disk said, also when the client has left or the daemon stops: it is recorded. */
static struct aio_next retry_accepted(struct aio_co *co)
{
    struct retry *r = retry_of(co);
    struct retried *one = &r->retried[r->told++];
    int code = aio_future_result(one->accepted, NULL);
    struct err err = ERR_INIT;
    one->accepted = aio_future_unref(one->accepted);
    if (code == -ENOSPC)
        err_set(&err, code, "the disk of the state directory is full: nothing new is accepted");
    else if (code == -ENOENT)
        err_set(&err, code, "task %llu was removed meanwhile", (unsigned long long)one->id);
    else if (code == -EIO)
        err_set(&err, code, "the disk failed: task %llu may or may not have been recorded",
                (unsigned long long)one->new_id);
    else if (code < 0)
        err_set(&err, code, "%s", strerror(-code));
    if (code < 0)
        retry_refuse(one, &err);
    return aio_goto(co, STEP(retry_accept));
}

const struct aio_co_fn method_retry = {"retry", sizeof(struct retry), STEP_INIT(retry_begin),
                                       retry_done};
