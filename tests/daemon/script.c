/* SPDX-License-Identifier: MIT */
/*
 * begin awaits the command; told ends as the command says, or does with a cancel what the
 * policy says.
 */
#include "tests/daemon/script.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/tasks/view.h"

/* What is kept for a task while it has an attempt: task->attached. */
struct scripted {
    struct script *script;      /* borrowed */
    struct aio_future *command; /* counted; NULL before the frame awaits it */
    bool expected;              /* its attempt was made before a restart */
};

struct script_frame {
    struct aio_co co;
    struct task *task; /* borrowed */
};

static struct scripted *scripted_of(struct aio_co *co)
{
    return container_of(co, struct script_frame, co)->task->attached;
}

static struct aio_next script_told(struct aio_co *co);

static struct aio_next script_await(struct aio_co *co)
{
    struct script_frame *f = container_of(co, struct script_frame, co);
    struct scripted *sc = f->task->attached;
    aio_future_unref(sc->command);
    sc->command = aio_future_new(f->task->tasks->sched);
    return aio_await_try(co, sc->command, STEP(script_told));
}

static struct aio_next script_begin(struct aio_co *co)
{
    struct task *t = container_of(co, struct script_frame, co)->task;
    struct script *s = scripted_of(co)->script;
    if (scripted_of(co)->expected && s->fate == FATE_LOST)
        return aio_raise(co, -EIO, view_error("LostError", "nobody can tell", -1, -1));
    task_enter(t, TASK_RUNNING, AWAITS_NOTHING);
    return script_await(co);
}

static struct aio_next script_told(struct aio_co *co)
{
    struct script_frame *f = container_of(co, struct script_frame, co);
    struct script *s = scripted_of(co)->script;
    struct value *value;
    int err = aio_outcome(co, &value);
    if (err != -ECANCELED) {
        value_ref(value);
        return err < 0 ? aio_raise(co, err, value) : aio_return(co, value);
    }
    s->cancels++;
    if (f->task->tasks->stopping)
        return aio_raise(co, err, NULL);
    if (s->policy == SCRIPT_REFUSE)
        return script_await(co);
    if (s->policy == SCRIPT_SWALLOW) {
        static const char swallowed[] = "\xa9swallowed";
        return aio_return(co, value_new(swallowed, strlen(swallowed)));
    }
    return aio_raise(co, err, view_error("Signal", "ended by SIGTERM", -1, 15));
}

static const struct aio_co_fn script_fn = {"script", sizeof(struct script_frame),
                                           STEP_INIT(script_begin), NULL};

static struct aio_co *script_frame(struct script *s, struct task *t,
                                   const struct store_task *row)
{
    struct aio_co *co = aio_co_new(&script_fn);
    if (!co)
        return NULL;
    container_of(co, struct script_frame, co)->task = t;
    s->last_attempt = row->attempt;
    memcpy(s->last_token, row->token, sizeof(s->last_token));
    return co;
}

static int script_attach_to(struct script *s, struct task *t, bool expected)
{
    struct scripted *sc = t->attached ? t->attached : calloc(1, sizeof(*sc));
    if (!sc)
        return -ENOMEM;
    sc->script = s;
    sc->expected = expected;
    t->attached = sc;
    return 0;
}

static struct aio_co *script_new(void *ctx, struct task *t, const struct store_task *row,
                                 struct job *ahead)
{
    (void)ahead;
    struct script *s = ctx;
    s->news++;
    if (s->no_memory || script_attach_to(s, t, false) < 0)
        return NULL;
    return script_frame(s, t, row);
}

static struct aio_co *script_attach(void *ctx, struct task *t, const struct store_task *row)
{
    struct script *s = ctx;
    s->attaches++;
    return script_attach_to(s, t, t->attached != NULL) < 0 ? NULL : script_frame(s, t, row);
}

static int script_expect(void *ctx, struct task *t, const struct store_task *row)
{
    struct script *s = ctx;
    (void)row;
    s->expects++;
    return script_attach_to(s, t, true);
}

/* Nothing but what was expected is ever asked after. */
static enum attempt_fate script_fate(void *ctx, struct task *t, struct aio_future **wait)
{
    struct script *s = ctx;
    const struct scripted *sc = t->attached;
    if (!sc->expected)
        return FATE_KNOWN;
    if (s->fate == FATE_WAIT && aio_future_is_done(s->known)) {
        /* one that awaited it was cancelled */
        aio_future_unref(s->known);
        s->known = aio_future_new(t->tasks->sched);
    }
    *wait = s->known;
    return s->fate;
}

static void script_settled(void *ctx, struct task *t, bool recorded)
{
    struct script *s = ctx;
    struct scripted *sc = TAKE_PTR(t->attached);
    s->recorded += recorded;
    s->unrecorded += !recorded;
    if (sc)
        aio_future_unref(sc->command);
    free(sc);
}

static const uint8_t *script_spawner_id(void *ctx)
{
    return ((struct script *)ctx)->spawner;
}

const struct function script_work = {
    .name = "work",
    .slot = true,
    .new = script_new,
    .attach = script_attach,
    .expect = script_expect,
    .fate = script_fate,
    .settled = script_settled,
    .spawner_id = script_spawner_id,
};

const struct function script_think = {
    .name = "think",
    .new = script_new,
    .attach = script_attach,
    .settled = script_settled,
};

void script_init(struct script *s, struct tasks *tasks)
{
    *s = (struct script){.fate = FATE_KNOWN, .spawner = {0xaa}};
    s->known = aio_future_new(tasks->sched);
    assert_non_null(s->known);
    functions_register(&tasks->functions, &script_work, s);
    functions_register(&tasks->functions, &script_think, s);
}

void script_done(struct script *s)
{
    s->known = aio_future_unref(s->known);
}

void script_settle(struct script *s, struct tasks *tasks, enum attempt_fate fate)
{
    struct aio_future *known = s->known;
    s->fate = fate;
    s->known = aio_future_new(tasks->sched);
    assert_non_null(s->known);
    if (!aio_future_is_done(known))
        aio_future_set_result(known, NULL);
    aio_future_unref(known);
}

void script_return(struct task *t, struct value *taken)
{
    struct scripted *sc = t->attached;
    assert_non_null(sc);
    assert_int_equal(aio_future_set_result(sc->command, taken), 0);
}

void script_raise(struct task *t, int err, struct value *details_taken)
{
    struct scripted *sc = t->attached;
    assert_non_null(sc);
    assert_int_equal(aio_future_set_error(sc->command, err, details_taken), 0);
}
