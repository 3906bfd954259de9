/* SPDX-License-Identifier: MIT */
/*
 * One round of libuv: idle (nothing; it only keeps the poll from sleeping) → poll: callbacks
 * run and wake the scheduler, which starts the idle handle → check: if that is active, a
 * turn; then it stops if nothing more is ready, and the timerfds follow the deadlines. A
 * timerfd that fires only starts the idle handle too.
 *
 * Setting the wall clock ends the sleep (TFD_TIMER_CANCEL_ON_SET): the next turn looks at it
 * anew.
 */
#include "daemon/aio/loop.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"

static void loop_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void loop_wake(void *ctx)
{
    struct aio_loop *loop = ctx;

    if (uv_handle_get_type((uv_handle_t *)&loop->idle) == UV_IDLE &&
        !uv_is_closing((uv_handle_t *)&loop->idle))
        uv_idle_start(&loop->idle, loop_idle);
}

/* ---- timers ---- */

static clockid_t loop_clock_id(enum aio_clock clock)
{
    static const clockid_t ids[AIO_CLOCKS] = {
        [AIO_BOOT] = CLOCK_BOOTTIME,
        [AIO_AWAKE] = CLOCK_MONOTONIC,
        [AIO_WALL] = CLOCK_REALTIME,
    };
    return ids[clock];
}

static void loop_timer_fired(uv_poll_t *timer, int status, int events)
{
    struct aio_loop *loop = timer->data;
    uint64_t expirations;
    ssize_t n;

    (void)status;
    (void)events;
    /* Fails with ECANCELED when the wall clock was set, which is a reason to look too. */
    n = read(loop->timerfd[timer - loop->timer], &expirations, sizeof(expirations));
    (void)n;
    loop->armed[timer - loop->timer] = UINT64_MAX;
    loop_wake(loop);
}

static void loop_arm_clock(struct aio_loop *loop, enum aio_clock clock)
{
    uint64_t when = aio_sched_next(&loop->sched, clock);
    int flags = TFD_TIMER_ABSTIME | (clock == AIO_WALL ? TFD_TIMER_CANCEL_ON_SET : 0);
    struct itimerspec spec = {.it_value = {0}};

    if (when == loop->armed[clock])
        return;
    if (when != UINT64_MAX) {
        spec.it_value.tv_sec = (time_t)(when / NSEC_PER_SEC);
        spec.it_value.tv_nsec = when ? (long)(when % NSEC_PER_SEC) : 1; /* 0 would disarm */
    }
    /* ECANCELED: the wall clock was set meanwhile; the timer is armed all the same, and the
     * turn that this starts looks at the new time. */
    if (timerfd_settime(loop->timerfd[clock], flags, &spec, NULL) < 0)
        loop_wake(loop);
    loop->armed[clock] = when;
}

/* ---- turns ---- */

static struct aio_now loop_now(struct aio_loop *loop)
{
    struct aio_now now;
    now.ns[AIO_AWAKE] = clock_awake();
    aio_ticks_mark(&loop->sched.ticks, aio_ticks_read(), now.ns[AIO_AWAKE]);
    now.ns[AIO_BOOT] = clock_boot();
    now.ns[AIO_WALL] = clock_wall();
    return now;
}

static void loop_check(uv_check_t *check)
{
    struct aio_loop *loop = check->data;

    if (!uv_is_active((uv_handle_t *)&loop->idle))
        return;
    struct aio_now now = loop_now(loop);
    if (!aio_sched_turn(&loop->sched, &now))
        uv_idle_stop(&loop->idle);
    for (int clock = 0; clock < AIO_CLOCKS; clock++)
        loop_arm_clock(loop, (enum aio_clock)clock);
    uint64_t took = clock_awake() - now.ns[AIO_AWAKE];
    if (took > loop->lag_max_ns)
        loop->lag_max_ns = took;
}

void aio_loop_run(struct aio_loop *loop)
{
    loop->running = true;
    uv_run(&loop->uv, loop->stopping ? UV_RUN_NOWAIT : UV_RUN_DEFAULT);
    loop->running = false;
    loop->stopping = false;
}

void aio_loop_stop(struct aio_loop *loop)
{
    loop->stopping = true;
    if (loop->running)
        uv_stop(&loop->uv);
}

/* ---- calls from other threads ---- */

void aio_loop_post(struct aio_loop *loop, struct posted *posted)
{
    static const uint64_t one = 1;

    uv_mutex_lock(&loop->posted_lock);
    bool first = list_empty(&loop->posted);
    list_push_back(&loop->posted, &posted->node);
    uv_mutex_unlock(&loop->posted_lock);
    if (first) { /* whoever came before has woken the loop, or is about to */
        ssize_t n = write(loop->posted_fd, &one, sizeof(one));
        (void)n;
    }
}

static void loop_posted_arrived(uv_poll_t *poll, int status, int events)
{
    struct aio_loop *loop = poll->data;
    uint64_t count;
    ssize_t n = read(loop->posted_fd, &count, sizeof(count));

    (void)n;
    (void)status;
    (void)events;
    uv_mutex_lock(&loop->posted_lock);
    list_splice_back(&loop->arrived, &loop->posted);
    uv_mutex_unlock(&loop->posted_lock);
    aio_call_soon(&loop->sched, &loop->arrival);
}

static void loop_run_arrived(struct aio_handle *arrival)
{
    struct aio_loop *loop = container_of(arrival, struct aio_loop, arrival);
    struct list *node;

    while ((node = list_pop_front(&loop->arrived))) {
        struct posted *posted = container_of(node, struct posted, node);
        posted->fn(posted->arg);
    }
}

/* ---- life ---- */

static int loop_init_timer(struct aio_loop *loop, enum aio_clock clock)
{
    uv_poll_t *timer = &loop->timer[clock];
    int fd = timerfd_create(loop_clock_id(clock), TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    loop->timerfd[clock] = fd;
    int r = uv_poll_init(&loop->uv, timer, fd);
    if (r < 0)
        return r;
    timer->data = loop;
    return uv_poll_start(timer, UV_READABLE, loop_timer_fired);
}

static int loop_init_posted(struct aio_loop *loop)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    loop->posted_fd = fd;
    int r = uv_poll_init(&loop->uv, &loop->arriving, fd);
    if (r < 0)
        return r;
    loop->arriving.data = loop;
    return uv_poll_start(&loop->arriving, UV_READABLE, loop_posted_arrived);
}

static int loop_init_handles(struct aio_loop *loop)
{
    uv_idle_init(&loop->uv, &loop->idle);
    uv_check_init(&loop->uv, &loop->check);
    loop->check.data = loop;
    uv_check_start(&loop->check, loop_check);
    int r = loop_init_posted(loop);
    for (int clock = 0; r == 0 && clock < AIO_CLOCKS; clock++)
        r = loop_init_timer(loop, (enum aio_clock)clock);
    return r;
}

int aio_loop_init(struct aio_loop *loop)
{
    *loop = (struct aio_loop){.posted_fd = -1};
    for (int clock = 0; clock < AIO_CLOCKS; clock++) {
        loop->timerfd[clock] = -1;
        loop->armed[clock] = UINT64_MAX;
    }
    list_init(&loop->posted);
    list_init(&loop->arrived);
    aio_handle_init(&loop->arrival, loop_run_arrived);
    aio_sched_init(&loop->sched, clock_awake);
    aio_ticks_init(&loop->sched.ticks);
    loop->sched.wake = loop_wake;
    loop->sched.wake_ctx = loop;
    int r = uv_mutex_init(&loop->posted_lock);
    if (r < 0)
        return r;
    r = uv_loop_init(&loop->uv);
    if (r < 0) {
        uv_mutex_destroy(&loop->posted_lock);
        return r;
    }
    r = loop_init_handles(loop);
    if (r < 0)
        (void)aio_loop_close(loop);
    return r;
}

static void loop_handle_closed(uv_handle_t *handle)
{
    struct aio_loop *loop = handle->data;
    loop->closing--;
}

/* One that was never made has the type 0. */
static void loop_close_handle(struct aio_loop *loop, uv_handle_t *handle)
{
    if (uv_handle_get_type(handle) == UV_UNKNOWN_HANDLE || uv_is_closing(handle))
        return;
    handle->data = loop;
    loop->closing++;
    uv_close(handle, loop_handle_closed);
}

int aio_loop_close(struct aio_loop *loop)
{
    while (loop->jobs > 0)
        uv_run(&loop->uv, UV_RUN_ONCE);
    loop_close_handle(loop, (uv_handle_t *)&loop->check);
    loop_close_handle(loop, (uv_handle_t *)&loop->idle);
    loop_close_handle(loop, (uv_handle_t *)&loop->arriving);
    for (int clock = 0; clock < AIO_CLOCKS; clock++)
        loop_close_handle(loop, (uv_handle_t *)&loop->timer[clock]);
    while (loop->closing > 0)
        uv_run(&loop->uv, UV_RUN_ONCE);
    for (int clock = 0; clock < AIO_CLOCKS; clock++)
        defs_closep(&loop->timerfd[clock]);
    defs_closep(&loop->posted_fd);
    int r = uv_loop_close(&loop->uv);
    if (r < 0)
        return r;
    uv_mutex_destroy(&loop->posted_lock);
    aio_sched_done(&loop->sched);
    return 0;
}
