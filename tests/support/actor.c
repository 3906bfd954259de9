/* SPDX-License-Identifier: MIT */
#include "tests/support/actor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct aio_next actor_begin(struct aio_co *co)
{
    return aio_goto(co, actor_of(co)->body);
}

static void actor_done(struct aio_co *co)
{
    struct actor *actor = actor_of(co);

    actor->child = aio_co_free(actor->child);
    actor->loop->frames--;
}

static const struct aio_co_fn actor_fn = {
    "actor",
    sizeof(struct actor),
    STEP_INIT(actor_begin),
    actor_done,
};

struct actor *actor_new(struct fake_loop *loop, const char *name, struct aio_step body,
                        struct aio_future *future)
{
    struct aio_co *co = aio_co_new(&actor_fn);

    assert_non_null(co);
    struct actor *actor = actor_of(co);
    actor->loop = loop;
    actor->name = name;
    actor->body = body;
    actor->future = future;
    loop->frames++;
    return actor;
}

struct aio_task *actor_start(struct fake_loop *loop, const char *name, struct aio_step body,
                             struct aio_future *future)
{
    struct actor *actor = actor_new(loop, name, body, future);

    return fake_loop_keep(loop, aio_task_new(&loop->sched, &actor->co));
}

struct actor *actor_of(struct aio_co *co)
{
    return container_of(co, struct actor, co);
}

struct actor *actor_of_task(struct aio_task *task)
{
    return actor_of(task->co);
}

void actor_note(struct aio_co *co, const char *fmt, ...)
{
    char text[192];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fake_loop_note(actor_of(co)->loop, "%s %s", actor_of(co)->name, text);
}

int actor_note_outcome(struct aio_co *co)
{
    struct value *value;
    int err = aio_outcome(co, &value);

    actor_note(co, "%s", outcome_text(err, value));
    return err;
}

struct aio_next actor_pass(struct aio_co *co)
{
    struct value *value;
    int err = aio_outcome(co, &value);

    value_ref(value);
    return err < 0 ? aio_raise(co, err, value) : aio_return(co, value);
}

struct aio_next actor_end(struct aio_co *co)
{
    actor_note(co, "ends");
    return aio_return(co, NULL);
}

static struct aio_next actor_waited(struct aio_co *co)
{
    actor_note_outcome(co);
    return actor_pass(co);
}

struct aio_next actor_wait(struct aio_co *co)
{
    return aio_await_try(co, actor_of(co)->future, STEP(actor_waited));
}

struct aio_next actor_wait_plain(struct aio_co *co)
{
    return aio_await(co, actor_of(co)->future, STEP(actor_waited));
}

struct aio_next actor_yields(struct aio_co *co)
{
    struct actor *actor = actor_of(co);

    actor_note(co, "%d", actor->n);
    return --actor->n > 0 ? aio_yield(co, STEP(actor_yields)) : aio_return(co, NULL);
}
