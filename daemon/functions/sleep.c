/* SPDX-License-Identifier: MIT */
/*
 * sleep(seconds) - asyncio.sleep as a task: SUSPENDED on its timer, then done.
 *
 * begin awaits the timer; end returns nothing. Counted in boot time (a suspended machine
 * counts) from the moment its attempt was recorded, so a restart changes nothing: attach goes
 * on to the same point in time, after another boot by the wall clock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "daemon/aio/sleep.h"
#include "daemon/functions/register.h"
#include "daemon/tasks/tasks.h"
#include "proto/pack.h"

struct sleep_args {
    double seconds;
};

static const struct field sleep_fields[] = {
    {"seconds", FIELD_NUMBER, true, offsetof(struct sleep_args, seconds),
     PARSE_DURATION_MAX_NS / NSEC_PER_SEC},
};

static int sleep_check(const msgpack_object *args, struct function_call *ret, struct err *err)
{
    struct sleep_args a = {0};
    int r = fields_read(sleep_fields, ARRAY_SIZE(sleep_fields), args, &a, err);
    if (r < 0)
        return r;
    if (a.seconds < 0)
        return err_set(err, -EINVAL, "\"seconds\" must not be negative");
    struct buf b = BUF_INIT;
    pack_map(&b, 1);
    pack_text(&b, "seconds");
    pack_double(&b, a.seconds);
    ret->args = pack_take(&b);
    buf_done(&b);
    if (!ret->args)
        return err_set(err, -ENOMEM, "out of memory");
    snprintf(ret->title, sizeof(ret->title), "sleep %g", a.seconds);
    return 0;
}

struct sleep_frame {
    struct aio_co co;
    struct task *task; /* borrowed */
    enum aio_clock clock;
    uint64_t when_ns;  /* on that clock */
    uint64_t until_ns; /* wall clock, for people */
};

static struct aio_next sleep_end(struct aio_co *co)
{
    return aio_return(co, NULL);
}

static struct aio_next sleep_begin(struct aio_co *co)
{
    struct sleep_frame *f = container_of(co, struct sleep_frame, co);
    struct task *t = f->task;
    t->until_ns = f->until_ns;
    task_enter_since(t, TASK_SUSPENDED, AWAITS_TIMER, t->started_ns);
    return aio_delegate(co, aio_sleep_until(f->clock, f->when_ns), STEP(sleep_end));
}

static const struct aio_co_fn sleep_fn = {"sleep", sizeof(struct sleep_frame),
                                          STEP_INIT(sleep_begin), NULL};

static uint64_t sleep_ns(const struct store_task *row)
{
    struct unpacked args = UNPACKED_INIT;
    double seconds = 0;
    if (row->args && unpack(&args, row->args->bytes, row->args->len) == 0)
        seconds = map_number(&args.root, "seconds", 0);
    unpacked_done(&args);
    return clock_from_seconds(seconds);
}

static struct aio_co *sleep_attach(void *ctx, struct task *t, const struct store_task *row)
{
    (void)ctx;
    struct aio_co *co = aio_co_new(&sleep_fn);
    if (!co)
        return NULL;
    struct sleep_frame *f = container_of(co, struct sleep_frame, co);
    bool same_boot =
        memcmp(row->attempt_boot, t->tasks->boot_id, sizeof(row->attempt_boot)) == 0;
    uint64_t ns = sleep_ns(row);
    f->task = t;
    f->until_ns = row->attempt_ns + ns;
    f->clock = same_boot ? AIO_BOOT : AIO_WALL;
    f->when_ns = same_boot ? row->attempt_boot_ns + ns : f->until_ns;
    t->started_ns = row->attempt_ns;
    return co;
}

static struct aio_co *sleep_new(void *ctx, struct task *t, const struct store_task *row,
                                struct job *ahead)
{
    (void)ahead;
    return sleep_attach(ctx, t, row);
}

static const struct param sleep_params[] = {
    {"seconds", PARAM_DURATION, true, false, "how long: 2.5, 10s, 1h30m"},
};

const struct function sleep_function = {
    .name = "sleep",
    .summary = "suspend for a time, as asyncio.sleep",
    .params = sleep_params,
    .nparams = ARRAY_SIZE(sleep_params),
    .check = sleep_check,
    .new = sleep_new,
    .attach = sleep_attach,
};
