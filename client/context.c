/* SPDX-License-Identifier: MIT */
/*
 * context - hello travels with the first request, so a command costs one round trip; a brief one
 * says none: the errors are texts then, which rpc_read_error reads as well.
 */
#include "client/context.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/accounts.h"
#include "base/clock.h"
#include "client/escape.h"
#include "client/instance.h"
#include "client/output.h"
#include "client/reconnect.h"
#include "client/start.h"
#include "proto/error.h"

#define CONTEXT_SILENCE_NS (2 * NSEC_PER_SEC) /* of the event loop, before that is said */

void context_init(struct context *c)
{
    *c = (struct context){.link = LINK_INIT};
}

void context_done(struct context *c)
{
    c->hello = reply_free(c->hello);
    link_done(&c->link);
}

void context_say(const struct context *c, const char *fmt, ...)
{
    _cleanup_(buf_done) struct buf line = BUF_INIT;
    char *sentence = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&sentence, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    buf_puts(&line, "aioctl: ");
    if (c->command)
        buf_printf(&line, "%s: ", c->command->name);
    escape_text(&line, sentence, (size_t)n);
    buf_puts(&line, "\n");
    free(sentence);
    struct err ignored = ERR_INIT; /* there is nowhere left to say it */
    (void)output_flush(STDERR_FILENO, &line, &ignored);
}

int context_fail(const struct context *c, const struct err *err)
{
    if (err->code == -EPIPE && !c->link.broken)
        return EXIT_SIGNAL + SIGPIPE;
    context_say(c, "%s", err->msg);
    if (err->code == -ETIMEDOUT)
        return EXIT_TIMED_OUT;
    if (c->own_exit)
        return EXIT_OWN;
    return c->link.broken ? EXIT_UNREACHABLE : proto_error_exit(err->code);
}

static struct instance_query context_query(const struct context *c)
{
    return (struct instance_query){
        .socket = c->options.socket,
        .user = c->options.user,
        .system = c->options.system,
        .env_socket = getenv("AIOD_SOCKET"),
        .runtime_dir = getenv("XDG_RUNTIME_DIR"),
        .system_socket = INSTANCE_SYSTEM_SOCKET,
        .uid = getuid(),
    };
}

/* None answers: says what to do about the one that mattered. */
static int context_refuse(struct context *c, const struct instances *in, const int *reasons,
                          struct err *err)
{
    size_t told = in->own;
    for (size_t i = 0; i < in->n; i++) {
        if (reasons[i] == -EACCES || in->n == 1)
            told = i;
    }
    if (in->chosen && reasons[told] == -EACCES)
        c->link.broken = false; /* it is there, and refuses */
    return instance_advise(in, told, reasons[told], err);
}

/* Tries one after the other; where none answers, the user's own is started if that is wanted.
 */
static int context_open(struct context *c, const struct instances *in, struct err *err)
{
    int reasons[INSTANCES_MAX] = {0};
    for (size_t i = 0; i < in->n; i++) {
        bool system = in->kind[i] == INSTANCE_SYSTEM;
        *err = (struct err)ERR_INIT;
        c->link.own = in->kind[i] == INSTANCE_USER;
        reasons[i] = link_open(&c->link, in->path[i], err);
        if (reasons[i] == 0 && system && i > 0)
            context_say(c,
                        "your own event loop at %s does not answer: this goes to the system's",
                        in->path[in->own]);
        if (reasons[i] == 0)
            return c->brief ? 0 : link_hello(&c->link, &c->hello_msgid, err);
        if (!instance_absent(reasons[i]) && !(system && reasons[i] == -EACCES))
            return instance_advise(in, i, reasons[i], err);
    }
    c->link.own = true;
    if (c->may_start && in->startable)
        return start(c, in->path[in->own], err);
    return context_refuse(c, in, reasons, err);
}

int context_connect(struct context *c, struct err *err)
{
    if (c->link.fd >= 0 || c->link.broken)
        return 0;
    struct instance_query query = context_query(c);
    struct instances in = {.n = 0};
    int r = instance_choose(&query, &in, err);
    if (r == 0)
        r = context_open(c, &in, err);
    instances_done(&in);
    return r;
}

int context_hello(struct context *c, struct err *err)
{
    if (c->hello)
        return 0;
    int r = c->link.broken ? 0 : link_idle(&c->link, CONTEXT_SILENCE_NS, err);
    if (r > 0)
        context_say(c, "the event loop at %s has not answered yet; still waiting",
                    c->link.name);
    if (r < 0 || !c->hello_msgid)
        return r < 0 ? r : 0;
    return link_wait(&c->link, c->hello_msgid, &c->hello, err);
}

int context_wait(struct context *c, uint32_t msgid, struct reply **ret, struct err *err)
{
    int r = context_hello(c, err);
    return r < 0 ? r : link_wait(&c->link, msgid, ret, err);
}

int context_call(struct context *c, const char *method, struct buf *params, struct reply **ret,
                 struct err *err)
{
    uint32_t msgid;
    int r = context_connect(c, err);
    if (r == 0)
        r = link_request(&c->link, method, params, &msgid, err);
    if (params)
        buf_done(params);
    return r < 0 ? r : context_wait(c, msgid, ret, err);
}

int context_call_again(struct context *c, const char *method, context_pack_fn *pack, void *arg,
                       struct reply **ret, struct err *err)
{
    for (bool again = false;; again = true) {
        struct buf params = BUF_INIT;
        if (pack)
            pack(arg, &params, again);
        int r = context_call(c, method, &params, ret, err);
        if (r == 0 || !reconnect_helps(c, r))
            return r;
        r = reconnect(c, err);
        if (r < 0)
            return r;
    }
}

int context_print(const struct context *c, struct buf *b)
{
    struct err err = ERR_INIT;
    int r = output_flush(STDOUT_FILENO, b, &err);
    buf_done(b);
    return r < 0 ? context_fail(c, &err) : EXIT_OK;
}

bool context_color(const char *option, bool tty, const char *no_color, const char *term)
{
    if (option && strcmp(option, "always") == 0)
        return true;
    if (option && strcmp(option, "never") == 0)
        return false;
    return tty && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
}

static const char *context_user_name(uint32_t uid)
{
    return uid == getuid() ? accounts_self() : accounts_user(uid);
}

struct view context_view(const struct context *c)
{
    bool tty = isatty(STDOUT_FILENO);
    struct winsize size = {0};
    unsigned width = 0;
    if (tty)
        width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
    return (struct view){
        .now_ns = clock_wall(),
        .width = width,
        .color = context_color(c->options.color, tty, getenv("NO_COLOR"), getenv("TERM")),
        .local = localtime_r,
        .user_name = context_user_name,
    };
}
