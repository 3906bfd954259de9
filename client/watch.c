/* SPDX-License-Identifier: MIT */
/*
 * watch - happy path: `events` is asked for; "ready" and every event after it set `changed` and
 * the timer; when that is due, on_watch ends the wait, the source is read and drawn, and the
 * wait goes on. When the connection breaks, reconnect waits and all begins again.
 *
 * Signals, keys and the timer come through one epoll descriptor, which the link watches, so that
 * they are served wherever it waits: for events, for a reading, for the event loop to come back.
 */
#include "client/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "client/output.h"
#include "client/reconnect.h"
#include "client/screen.h"

#define WATCH_PERIOD_NS (250 * NSEC_PER_MSEC) /* between two readings, at least */
#define WATCH_GATHER_NS (10 * NSEC_PER_MSEC)  /* what comes together is drawn together */

struct watch {
    struct context *context;           /* borrowed */
    const struct watch_source *source; /* borrowed */
    struct screen screen;
    bool terminal;    /* drawn in place */
    bool linked;      /* there is an event loop: the clocks move */
    bool waiting;     /* in the wait for events: it may be ended to read */
    bool shown;       /* something has been read, and can be drawn */
    bool changed;     /* and is not true any more */
    uint64_t due_ns;  /* when it is to be read again, but for the period (clock_awake()) */
    uint64_t read_ns; /* when it was read last */
    int signal;       /* what ended it; 0: q or Ctrl-C */
    int epoll;
    int signals;
    int timer;
    sigset_t before;
};

/* ---- pictures ---- */

static int watch_draw(struct watch *w, struct err *err)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT;
    struct view view = context_view(w->context);
    if (!w->shown)
        return 0;
    w->source->render(w->source->arg, &text, w->context, &view);
    if (w->terminal)
        return screen_draw(&text, err);
    buf_puts(&text, "\n");
    return output_flush(STDOUT_FILENO, &text, err);
}

/* When the next reading is. */
static uint64_t watch_due(const struct watch *w)
{
    uint64_t earliest = w->read_ns ? w->read_ns + WATCH_PERIOD_NS : 0;
    return w->due_ns > earliest ? w->due_ns : earliest;
}

/* When to wake: for the next reading, or on a terminal for the next second of the clock. */
static void watch_arm(struct watch *w)
{
    uint64_t now = clock_awake();
    uint64_t due = watch_due(w);
    uint64_t delay = NSEC_PER_SEC - clock_wall() % NSEC_PER_SEC;
    if (w->changed && w->waiting)
        delay = due > now ? due - now : 1;
    else if (!w->terminal)
        delay = 0; /* never */
    struct itimerspec timer = {
        .it_value = {(time_t)(delay / NSEC_PER_SEC), (long)(delay % NSEC_PER_SEC)}};
    (void)timerfd_settime(w->timer, 0, &timer, NULL);
}

static void watch_change(struct watch *w, uint64_t gather_ns)
{
    if (w->changed)
        return;
    w->changed = true;
    w->due_ns = clock_awake() + gather_ns;
    watch_arm(w);
}

static int watch_read(struct watch *w, struct err *err)
{
    struct view view = context_view(w->context);
    w->changed = false;
    w->shown = false; /* half a picture is none */
    int r = w->source->read(w->source->arg, w->context, &view, err);
    if (r < 0)
        return r;
    w->shown = true;
    w->read_ns = clock_awake();
    return watch_draw(w, err);
}

/* ---- what comes ---- */

static int watch_notified(void *arg, const struct rpc_message *message, struct err *err)
{
    (void)err;
    struct watch *w = arg;
    if (bytes_equal(message->method, "event"))
        watch_change(
            w, bytes_equal(map_text(message->params, "what"), "ready") ? 0 : WATCH_GATHER_NS);
    return 0;
}

/* Ctrl-Z: the terminal is the shell's until somebody says fg. */
static int watch_stop(struct watch *w, struct err *err)
{
    screen_leave(&w->screen);
    (void)kill(getpid(), SIGSTOP);
    return w->terminal ? screen_enter(&w->screen, err) : 0;
}

static int watch_signalled(struct watch *w, struct err *err)
{
    struct signalfd_siginfo info;
    while (read(w->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int r = 0;
        if (info.ssi_signo == SIGTSTP)
            r = watch_stop(w, err);
        else if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT)
            r = -ECANCELED;
        if (r == -ECANCELED && info.ssi_signo != SIGINT)
            w->signal = (int)info.ssi_signo;
        if (r == 0)
            r = watch_draw(w, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int watch_key(struct watch *w)
{
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);
    if (n == 1)
        return key == 'q' || key == 'Q' ? -ECANCELED : 0;
    struct pollfd terminal = {.fd = STDIN_FILENO};
    if (n < 0 || (poll(&terminal, 1, 0) > 0 && (terminal.revents & (POLLHUP | POLLERR))))
        (void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL); /* it was hung up */
    return 0;
}

/* The timer was for a reading, or for the clocks in the picture. */
static int watch_timed(struct watch *w, struct err *err)
{
    uint64_t times;
    int r = 0;
    if (read(w->timer, &times, sizeof(times)) < 0)
        return 0;
    if (w->changed && w->waiting && clock_awake() >= watch_due(w))
        return -EINTR;
    if (w->terminal && w->linked)
        r = watch_draw(w, err);
    watch_arm(w);
    return r;
}

/* -ECANCELED: it is over; -EINTR: the picture has to be read again. */
static int watch_woken(void *arg, struct err *err)
{
    struct watch *w = arg;
    struct epoll_event events[3];
    int n = epoll_wait(w->epoll, events, ARRAY_SIZE(events), 0);
    int r = 0;
    for (int i = 0; i < n && r == 0; i++) {
        if (events[i].data.fd == w->signals)
            r = watch_signalled(w, err);
        else if (events[i].data.fd == w->timer)
            r = watch_timed(w, err);
        else
            r = watch_key(w);
    }
    return r;
}

/* ---- one connection after the other ---- */

/* From `events` to the end of the connection. */
static int watch_follow(struct watch *w, bool again, struct err *err)
{
    struct context *c = w->context;
    struct buf params = BUF_INIT;
    uint32_t asked;
    uint32_t msgid;
    w->source->pack(w->source->arg, &params, again);
    int r = context_connect(c, err);
    if (r == 0)
        r = link_request(&c->link, "events", &params, &asked, err);
    buf_done(&params);
    if (r == 0)
        r = context_hello(c, err);
    w->linked = r == 0;
    while (r == 0) {
        _cleanup_(reply_freep) struct reply *reply = NULL;
        w->waiting = true;
        watch_arm(w);
        r = link_wait_any(&c->link, &msgid, &reply, err);
        w->waiting = false;
        if (r == -EINTR)
            r = watch_read(w, err);
        else if (r == 0 && msgid == asked)
            r = err_set(err, -ESHUTDOWN, "the event loop ended the events");
    }
    w->linked = false; /* what is said of that stays readable */
    return r;
}

static int watch_loop(struct watch *w, struct err *err)
{
    struct link *l = &w->context->link;
    int r = context_connect(w->context, err);
    l->on_notification = watch_notified;
    l->notification_arg = w;
    l->watch_fd = w->epoll;
    l->on_watch = watch_woken;
    l->watch_arg = w;
    for (bool again = false; r == 0; again = true) {
        r = watch_follow(w, again, err);
        w->changed = false;
        watch_arm(w);
        if (reconnect_helps(w->context, r))
            r = reconnect(w->context, err);
    }
    l->on_notification = NULL;
    l->watch_fd = -1;
    return r;
}

/* ---- beginning and end ---- */

static int watch_add(const struct watch *w, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int watch_open(struct watch *w, struct err *err)
{
    static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGCONT};
    sigset_t set;
    (void)sigemptyset(&set);
    /* off a terminal the signals that end a program do so by themselves */
    for (size_t i = 0; i < ARRAY_SIZE(taken) && w->terminal; i++)
        (void)sigaddset(&set, taken[i]);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, &w->before);
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->epoll < 0 || w->signals < 0 || w->timer < 0 || watch_add(w, w->signals) < 0 ||
        watch_add(w, w->timer) < 0)
        return err_errno(err, -errno, "cannot watch");
    int r = w->terminal ? screen_enter(&w->screen, err) : 0;
    if (r == 0 && w->screen.keys && watch_add(w, STDIN_FILENO) < 0)
        return err_errno(err, -errno, "cannot watch the keys");
    return r;
}

static void watch_close(struct watch *w)
{
    screen_leave(&w->screen);
    defs_closep(&w->epoll);
    defs_closep(&w->signals);
    defs_closep(&w->timer);
    if (w->signal) { /* its default: the shell is to see what ended this */
        (void)signal(w->signal, SIG_DFL);
        (void)raise(w->signal);
    }
    (void)sigprocmask(SIG_SETMASK, &w->before, NULL);
}

int watch_run(struct context *c, const struct watch_source *source)
{
    struct watch w = {.context = c, .source = source, .epoll = -1, .signals = -1, .timer = -1};
    struct err err = ERR_INIT;
    w.terminal = screen_possible();
    int r = watch_open(&w, &err);
    if (r == 0)
        r = watch_loop(&w, &err);
    watch_close(&w);
    return r == -ECANCELED ? EXIT_OK : context_fail(c, &err);
}
