/* SPDX-License-Identifier: MIT */
/*
 * context - hello travels with the first request, so a command costs one round trip.
 */
#include "client/context.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/escape.h"
#include "client/instance.h"
#include "client/output.h"
#include "proto/error.h"

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
    if (err->code == -ETIMEDOUT && !c->link.broken)
        return EXIT_TIMED_OUT;
    if (c->own_exit)
        return EXIT_OWN;
    return c->link.broken ? EXIT_UNREACHABLE : proto_error_exit(err->code);
}

int context_connect(struct context *c, struct err *err)
{
    if (c->link.fd >= 0 || c->link.broken)
        return 0;
    struct instance_query query = {
        .socket = c->options.socket,
        .user = c->options.user,
        .system = c->options.system,
        .env_socket = getenv("AIOD_SOCKET"),
        .runtime_dir = getenv("XDG_RUNTIME_DIR"),
        .uid = getuid(),
    };
    _cleanup_(defs_freep) char *path = NULL;
    int r = instance_choose(&query, &path, err);
    if (r == 0)
        r = link_open(&c->link, path, err);
    if (r == 0)
        r = link_hello(&c->link, &c->hello_msgid, err);
    return r;
}

int context_hello(struct context *c, struct err *err)
{
    return c->hello ? 0 : link_wait(&c->link, c->hello_msgid, &c->hello, err);
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
    const struct passwd *user = getpwuid(uid);
    return user ? user->pw_name : NULL;
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
