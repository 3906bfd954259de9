/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * function - coroutine functions that can be submitted: their interface and registry.
 *
 * A function is a template: a name, declared parameters, and how to make a coroutine
 * object of it. Calling it runs nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/value.h"
#include "daemon/aio/co.h"
#include "daemon/store/store.h"
#include "daemon/tasks/store_call.h"
#include "proto/unpack.h"

struct task;

enum param_type { PARAM_TEXT, PARAM_TEXTS, PARAM_DURATION, PARAM_UINT, PARAM_BOOL };

struct param {
    const char *name;
    enum param_type type;
    bool required;
    bool many; /* takes all positional arguments that are left; PARAM_TEXTS */
    const char *summary;
};

/* What a task is called with, as it is stored. */
struct function_call {
    struct value *args; /* owned: a map by parameter name, checked */
    struct value
        *env; /* owned: an array of NAME=VALUE, kept apart to be stored once; or NULL */
    char title[LIMIT_TITLE_BYTES + 1]; /* for status */
};
void function_call_done(struct function_call *);

/* How an attempt that was recorded before a restart stands now. */
enum attempt_fate {
    FATE_WAIT,   /* cannot be told yet */
    FATE_KNOWN,  /* it runs or has ended: attach gives its coroutine */
    FATE_UNSENT, /* it never started: new starts it, under the same token */
    FATE_LOST,   /* nobody can tell: attach raises LostError */
};

struct function {
    const char *name;
    const char *summary;
    const struct param *params;
    size_t nparams;
    bool slot; /* holds a process, so it needs one of its group's slots */
    /* Checks the bound arguments (a map) and fills the call. 0, or -EINVAL with a sentence. */
    int (*check)(const msgpack_object *args, struct function_call *ret, struct err *);
    /* The coroutine of an attempt that is recorded. The row is borrowed while the call lasts;
     * what it needs of it must be copied or stolen (value_ref). NULL without memory. Its return
     * value is the task's result; what it raises has the details of view.h's error. -ECANCELED:
     * the task was cancelled. */
    struct aio_co *(*new)(void *ctx, struct task *, const struct store_task *row,
                          struct job *ahead);
    /* What a start needs of the disk can be had while the task still waits for its slot: a job
     * for `prepare`, or NULL for not now. new gets it then, prepared (borrowed). Both may be
     * NULL. */
    struct job *(*ahead)(void *ctx, struct task *);
    store_call_fn *prepare;
    /* The same for an attempt that was recorded before a restart. */
    struct aio_co *(*attach)(void *ctx, struct task *, const struct store_task *row);
    /* A live task with a recorded attempt was loaded; before fate. 0 or -ENOMEM. May be NULL.
     */
    int (*expect)(void *ctx, struct task *, const struct store_task *row);
    /* What became of the attempt. FATE_WAIT: await *wait (the task's own, borrowed), then ask
     * again. May be NULL: FATE_KNOWN. */
    enum attempt_fate (*fate)(void *ctx, struct task *, struct aio_future **wait);
    /* The task's outcome is on disk, or the task is being let go (daemon stops): what was kept
     * for it goes, also at the spawner if it was recorded. May be NULL. */
    void (*settled)(void *ctx, struct task *, bool recorded);
    /* The spawner that an attempt made now is recorded with; NULL: it needs none. */
    const uint8_t *(*spawner_id)(void *ctx);
};

enum { FUNCTIONS_MAX = 16 };
struct functions {
    const struct function *all[FUNCTIONS_MAX]; /* static */
    void *ctx[FUNCTIONS_MAX];                  /* borrowed: what each was registered with */
    size_t len;
};
void functions_register(struct functions *, const struct function *, void *ctx);
const struct function *functions_find(const struct functions *,
                                      struct bytes name); /* NULL: none */
void *functions_ctx(const struct functions *, const struct function *);

/* Binds what a client sent (a map by name, or an array of positional arguments, texts parsed by
 * the declared types) to the parameters, checks it and fills the call. 0, -EINVAL with a
 * sentence that names the parameter, or -ENOMEM. */
int function_bind(const struct function *, const msgpack_object *args,
                  struct function_call *ret, struct err *);
