/* SPDX-License-Identifier: MIT */
/*
 * reconnect - connect, hello, wait a little, from the break until the time is over.
 *
 * An answer to hello is what counts: a socket of systemd's takes connections while no daemon
 * runs. Any other failure of an attempt may be a daemon half way up (its socket is bound before
 * its mode is set, and listens later), so it is tried again; the last one is told.
 */
#include "client/reconnect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"

#define RECONNECT_DELAY_MIN_NS (50 * NSEC_PER_MSEC)
#define RECONNECT_DELAY_MAX_NS (500 * NSEC_PER_MSEC)
#define RECONNECT_STEADY_NS    NSEC_PER_SEC /* who goes away sooner is not asked in a hurry */

bool reconnect_helps(const struct context *c, int r)
{
    return r < 0 && (c->link.lost || r == -ESHUTDOWN);
}

/* How long to wait. */
static uint64_t reconnect_patience(const struct context *c)
{
    const char *text = getenv("AIOD_RECONNECT");
    uint64_t ns = RECONNECT_SECONDS * NSEC_PER_SEC;
    if (text && text[0] && parse_duration(text, &ns) < 0)
        context_say(c, "AIOD_RECONNECT: \"%s\" is no duration, such as 10s or 5m", text);
    return ns;
}

/* One attempt. -EAGAIN with the reason: nobody answers yet. */
static int reconnect_try(struct context *c, uint64_t until, struct err *err)
{
    struct link *l = &c->link;
    _cleanup_(reply_freep) struct reply *hello = NULL;
    uint32_t msgid;
    int r = link_reopen(l, err);
    if (r < 0)
        return r == -ENOMEM ? r : -EAGAIN;
    l->deadline_ns = until;
    r = link_hello(l, &msgid, err);
    if (r == 0)
        r = link_wait(l, msgid, &hello, err);
    l->deadline_ns = 0;
    if (r < 0)
        return l->broken || r == -ESHUTDOWN ? -EAGAIN : r;
    struct bytes before = c->hello ? map_text(c->hello->result, "instance") : (struct bytes){0};
    struct bytes now = map_text(hello->result, "instance");
    if (before.data && (before.len != now.len || memcmp(before.data, now.data, now.len) != 0)) {
        l->broken = true;
        return err_set(err, -ESTALE,
                       "another event loop answers at %s now: its tasks are others", l->name);
    }
    (void)reply_free(c->hello);
    c->hello = TAKE_PTR(hello);
    return 0;
}

/* Attempts until one succeeds or the time is over: -ETIME. */
static int reconnect_until(struct context *c, uint64_t until, struct err *err)
{
    uint64_t delay = RECONNECT_DELAY_MIN_NS;
    bool flaps = c->back_ns != 0 && clock_awake() - c->back_ns < RECONNECT_STEADY_NS;
    int paused = flaps ? link_pause(&c->link, RECONNECT_DELAY_MAX_NS, err) : 0;
    if (paused < 0)
        return paused;
    for (;;) {
        *err = (struct err)ERR_INIT;
        int r = reconnect_try(c, until, err);
        uint64_t now = clock_awake();
        if (r != -EAGAIN)
            return r;
        if (now >= until)
            return -ETIME;
        c->link.broken = true;
        r = link_pause(&c->link, delay < until - now ? delay : until - now, err);
        if (r < 0)
            return r;
        delay = delay * 2 < RECONNECT_DELAY_MAX_NS ? delay * 2 : RECONNECT_DELAY_MAX_NS;
    }
}

int reconnect(struct context *c, struct err *err)
{
    uint64_t patience = reconnect_patience(c);
    uint64_t until = clock_awake() + patience;
    bool own = c->deadline_ns != 0 && c->deadline_ns < until;
    char text[FORMAT_DURATION_MAX];
    c->link.broken = true;
    if (patience == 0)
        return err->code;
    c->away = true;
    context_say(c, "the event loop at %s went away; waiting up to %s for it", c->link.name,
                format_duration(text, patience));
    int r = reconnect_until(c, own ? c->deadline_ns : until, err);
    c->away = false;
    c->back_ns = clock_awake();
    c->link.lost = c->link.lost && r == 0;
    if (r == 0)
        context_say(c, "the event loop at %s is back", c->link.name);
    if (r != -ETIME)
        return r;
    c->link.broken = true;
    if (own)
        return err_set(err, -ETIMEDOUT, "the event loop at %s is not back in time",
                       c->link.name);
    struct err last = *err;
    return err_set(err, -ECONNREFUSED,
                   "the event loop at %s did not come back within %s: what it had accepted is "
                   "not lost, start it and ask again (%s)",
                   c->link.name, text, last.msg);
}
