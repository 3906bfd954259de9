/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Where the clocks begin: far apart, so that one taken for another is seen. */
#define FAKE_BOOT_START  (UINT64_C(5000) * NSEC_PER_SEC)
#define FAKE_AWAKE_START (UINT64_C(1000) * NSEC_PER_SEC)
#define FAKE_WALL_START  (UINT64_C(1700000000) * NSEC_PER_SEC)

enum { FAKE_TURNS_MAX = 10 * 1000 * 1000 }; /* more is an endless loop */

static _Thread_local struct fake_loop *fake_loop_current; /* for the step clock */

static uint64_t fake_loop_step_clock(void)
{
    fake_loop_current->clock_reads++;
    fake_loop_pass(fake_loop_current, fake_loop_current->read_ns);
    return fake_loop_current->now.ns[AIO_AWAKE];
}

static void fake_loop_wake(void *ctx)
{
    struct fake_loop *loop = ctx;
    loop->wakes++;
}

void fake_loop_init(struct fake_loop *loop)
{
    *loop = (struct fake_loop){.trace = BUF_INIT};
    loop->now.ns[AIO_BOOT] = FAKE_BOOT_START;
    loop->now.ns[AIO_AWAKE] = FAKE_AWAKE_START;
    loop->now.ns[AIO_WALL] = FAKE_WALL_START;
    aio_sched_init(&loop->sched, fake_loop_step_clock);
    loop->sched.wake = fake_loop_wake;
    loop->sched.wake_ctx = loop;
    fake_loop_current = loop;
}

struct aio_task *fake_loop_keep(struct fake_loop *loop, struct aio_task *taken)
{
    assert_non_null(taken);
    assert_true(loop->kept_count < FAKE_LOOP_KEPT_MAX);
    loop->kept[loop->kept_count++] = taken;
    return taken;
}

void fake_loop_done(struct fake_loop *loop)
{
    while (loop->kept_count > 0)
        aio_task_unref(loop->kept[--loop->kept_count]);
    assert_int_equal(loop->sched.tasks, 0);
    assert_int_equal(loop->sched.ready_count, 0);
    assert_int_equal(loop->frames, 0);
    aio_sched_done(&loop->sched);
    buf_done(&loop->trace);
}

void fake_loop_pass(struct fake_loop *loop, uint64_t ns)
{
    for (int clock = 0; clock < AIO_CLOCKS; clock++)
        loop->now.ns[clock] += ns;
}

bool fake_loop_turn(struct fake_loop *loop)
{
    struct aio_now now = loop->now;

    assert_true(++loop->turns < FAKE_TURNS_MAX);
    return aio_sched_turn(&loop->sched, &now);
}

void fake_loop_turns(struct fake_loop *loop, unsigned n)
{
    while (n-- > 0)
        fake_loop_turn(loop);
}

/* How long the earliest timer has to wait, UINT64_MAX when there is none. */
static uint64_t fake_loop_sleep(const struct fake_loop *loop)
{
    uint64_t sleep = UINT64_MAX;

    for (int clock = 0; clock < AIO_CLOCKS; clock++) {
        uint64_t when = aio_sched_next(&loop->sched, (enum aio_clock)clock);
        uint64_t now = loop->now.ns[clock];
        uint64_t left = when > now ? when - now : 0;
        if (when != UINT64_MAX && left < sleep)
            sleep = left;
    }
    return sleep;
}

/* One turn, after sleeping if nothing is ready; false when nothing would ever wake it. */
static bool fake_loop_round(struct fake_loop *loop)
{
    if (loop->sched.ready_count == 0) {
        uint64_t sleep = fake_loop_sleep(loop);
        if (sleep == UINT64_MAX)
            return false;
        fake_loop_pass(loop, sleep);
    }
    fake_loop_turn(loop);
    return true;
}

void fake_loop_run(struct fake_loop *loop)
{
    while (fake_loop_round(loop))
        ;
}

bool fake_loop_run_until(struct fake_loop *loop, const struct aio_future *f)
{
    while (!aio_future_is_done(f))
        if (!fake_loop_round(loop))
            return false;
    return true;
}

uint64_t fake_loop_ms(const struct fake_loop *loop)
{
    return (loop->now.ns[AIO_AWAKE] - FAKE_AWAKE_START) / NSEC_PER_MSEC;
}

void fake_loop_note(struct fake_loop *loop, const char *fmt, ...)
{
    char line[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    buf_printf(&loop->trace, "%llu %s\n", (unsigned long long)fake_loop_ms(loop), line);
}

const char *fake_loop_trace(struct fake_loop *loop)
{
    const char *trace = buf_cstr(&loop->trace);

    assert_non_null(trace);
    buf_clear(&loop->trace); /* keeps the memory, so the text stays until the next note */
    return trace;
}

const char *outcome_text(int err, const struct value *value)
{
    static _Thread_local char texts[4][128];
    static _Thread_local unsigned turn;
    char *text = texts[turn++ % ARRAY_SIZE(texts)];
    const char *what = "ok";

    if (err == -EINPROGRESS)
        what = "pending";
    else if (err == -ECANCELED)
        what = "cancelled";
    else if (err < 0)
        what = strerrorname_np(-err);
    snprintf(text, sizeof(texts[0]), "%s%s%.*s", what, value ? " " : "",
             value ? (int)value->len : 0, value ? (const char *)value->bytes : "");
    return text;
}

const char *future_text(struct aio_future *f)
{
    struct value *value = NULL;
    int err = aio_future_result(f, &value);

    return outcome_text(err, value);
}

struct value *text_value(const char *text)
{
    return value_new(text, strlen(text));
}
