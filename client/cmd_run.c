/* SPDX-License-Identifier: MIT */
/*
 * aioctl run - asyncio.run at the shell: submit, follow both streams, wait, exit with the
 * task's status.
 *
 * In time order: the signals are blocked and read from a signalfd that the link watches;
 * `submit`; then at once `logs` of both streams and `await`; notifications are written as they
 * come; when `await` and both `logs` have answered, the status is known. When the event loop
 * goes away meanwhile, what has not been answered is asked again, the streams from the byte
 * where they were. INT and TERM cancel the task, the second one with kill; while the event loop
 * is away the first is kept for it and the second leaves. HUP leaves the task running and ends.
 * When nobody reads the output any more the task is cancelled too, as a pipe would have ended
 * the command.
 */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/context.h"
#include "client/outcome.h"
#include "client/output.h"
#include "client/reconnect.h"
#include "client/submit.h"
#include "proto/pack.h"

enum cmd_run_stream { RUN_OUT, RUN_ERR, RUN_STREAMS };

/* One stream of the task's output. */
struct cmd_run_output {
    uint32_t msgid;  /* of `logs`; 0: not asked for */
    uint64_t offset; /* of the next byte */
    bool closed;     /* nobody reads it here */
    bool ended;      /* all of it has come */
};

struct cmd_run {
    struct context *c;
    int signal_fd; /* owned */
    bool sent;     /* the submit is on its way */
    uint64_t id;   /* 0: not known yet */
    struct cmd_run_output output[RUN_STREAMS];
    bool cancelled;      /* `cancel` has been asked for */
    int signal;          /* the first INT or TERM; 0: none */
    unsigned signals;    /* how many came */
    unsigned away;       /* how many of them while the event loop was away, this time */
    bool hung_up;        /* the terminal is gone */
    bool left;           /* by the user, who does not want to wait any longer */
    struct reply *reply; /* owned: the task, once it is DONE */
};

/* Begins a map of parameters with the task's id. */
static struct pack_map_place cmd_run_params(const struct cmd_run *run, struct buf *params)
{
    struct pack_map_place map = pack_map_begin(params);
    pack_key(params, &map, "id");
    pack_uint(params, run->id);
    return map;
}

/* ---- what the user and the terminal do ---- */

static int cmd_run_cancel(struct cmd_run *run, bool kill, struct err *err)
{
    _cleanup_(buf_done) struct buf params = BUF_INIT;
    uint32_t msgid;
    pack_map(&params, 2);
    pack_text(&params, "ids");
    pack_array(&params, 1);
    pack_uint(&params, run->id);
    pack_text(&params, "kill");
    pack_bool(&params, kill);
    run->cancelled = true;
    return link_request(&run->c->link, "cancel", &params, &msgid, err);
}

static int cmd_run_hang_up(struct cmd_run *run, struct err *err)
{
    run->hung_up = true;
    return err_set(err, -ECANCELED, "the terminal has gone");
}

static int cmd_run_leave(struct cmd_run *run, struct err *err)
{
    run->left = true;
    return err_set(err, -ECANCELED, "interrupted");
}

/* INT or TERM. */
static int cmd_run_interrupt(struct cmd_run *run, struct err *err)
{
    unsigned long long id = run->id;
    run->signals++;
    if (!run->id)
        return !run->sent || run->signals > 1 ? cmd_run_leave(run, err) : 0;
    if (!run->c->away) {
        context_say(run->c, "%s task %llu", run->signals > 1 ? "killing" : "cancelling", id);
        return cmd_run_cancel(run, run->signals > 1, err);
    }
    if (run->away++ > 0)
        return cmd_run_leave(run, err);
    context_say(run->c,
                "cancelling task %llu as soon as the event loop is back; once more leaves it",
                id);
    return 0;
}

static int cmd_run_signal(void *arg, struct err *err)
{
    struct cmd_run *run = arg;
    struct signalfd_siginfo info;
    if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
        return 0;
    if (info.ssi_signo == SIGHUP)
        return cmd_run_hang_up(run, err);
    if (!run->signal)
        run->signal = (int)info.ssi_signo;
    return cmd_run_interrupt(run, err);
}

static int cmd_run_signals_begin(struct cmd_run *run, struct err *err)
{
    struct link *link = &run->c->link;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signal_fd < 0)
        return err_errno(err, -errno, "signals cannot be watched");
    link->watch_fd = run->signal_fd;
    link->on_watch = cmd_run_signal;
    link->watch_arg = run;
    return 0;
}

/* ---- the output ---- */

static int cmd_run_write(struct cmd_run *run, enum cmd_run_stream stream, struct bytes data,
                         struct err *err)
{
    int fd = stream == RUN_OUT ? STDOUT_FILENO : STDERR_FILENO;
    struct err why = ERR_INIT;
    int r = output_write(fd, data.data, data.len, &why);
    if (r == 0)
        return 0;
    if (r == -EIO)
        return cmd_run_hang_up(run, err); /* a terminal that has gone: HUP is on its way */
    run->output[stream].closed = true;
    if (r != -EPIPE)
        context_say(run->c, "%s: cancelling task %llu", why.msg, (unsigned long long)run->id);
    return cmd_run_cancel(run, false, err);
}

static int cmd_run_notified(void *arg, const struct rpc_message *message, struct err *err)
{
    struct cmd_run *run = arg;
    uint64_t request = map_uint(message->params, "request", 0);
    struct bytes data = map_text(message->params, "data");
    if (!bytes_equal(message->method, "logs") || !data.data)
        return 0;
    for (int s = RUN_OUT; s < RUN_STREAMS; s++) {
        struct cmd_run_output *output = &run->output[s];
        if (!output->msgid || output->msgid != request)
            continue;
        output->offset = map_uint(message->params, "offset", output->offset) + data.len;
        if (!output->closed)
            return cmd_run_write(run, (enum cmd_run_stream)s, data, err);
    }
    return 0;
}

static int cmd_run_follow(struct cmd_run *run, enum cmd_run_stream stream, struct err *err)
{
    _cleanup_(buf_done) struct buf params = BUF_INIT;
    struct cmd_run_output *output = &run->output[stream];
    struct pack_map_place map = cmd_run_params(run, &params);
    pack_key(&params, &map, "stream");
    pack_text(&params, stream == RUN_OUT ? "out" : "err");
    if (output->offset > 0) {
        pack_key(&params, &map, "offset");
        pack_uint(&params, output->offset);
    }
    pack_key(&params, &map, "follow");
    pack_bool(&params, true);
    pack_map_end(&params, &map);
    return link_request(&run->c->link, "logs", &params, &output->msgid, err);
}

/* ---- submit, wait ---- */

static int cmd_run_submit(struct cmd_run *run, const struct spec_options *o, char **words,
                          size_t n, struct err *err)
{
    uint32_t msgid;
    int r = submit_send(run->c, o, words, n, !o->call, &msgid, err);
    if (r < 0)
        return r;
    run->sent = true;
    run->c->link.on_notification = cmd_run_notified;
    run->c->link.notification_arg = run;
    r = submit_wait(run->c, msgid, &run->id, NULL, err);
    run->cancelled = run->signals > 0;
    if (r == 0 && run->cancelled)
        context_say(run->c, "cancelling task %llu", (unsigned long long)run->id);
    return r;
}

/* Asks for all that has not come yet. */
static int cmd_run_ask(struct cmd_run *run, uint32_t *ret_await, struct err *err)
{
    _cleanup_(buf_done) struct buf params = BUF_INIT;
    struct pack_map_place map = cmd_run_params(run, &params);
    pack_map_end(&params, &map);
    int r = 0;
    for (int s = RUN_OUT; s < RUN_STREAMS && r == 0; s++) {
        if (!run->output[s].ended)
            r = cmd_run_follow(run, (enum cmd_run_stream)s, err);
    }
    if (r == 0 && !run->reply)
        r = link_request(&run->c->link, "await", &params, ret_await, err);
    if (r == 0 && run->cancelled)
        r = cmd_run_cancel(run, run->signals > 1, err);
    return r;
}

/* Until the task is DONE and its output has been written. */
static int cmd_run_take(struct cmd_run *run, struct err *err)
{
    uint32_t await = 0;
    int r = cmd_run_ask(run, &await, err);
    if (r == 0 && !run->reply)
        r = link_wait(&run->c->link, await, &run->reply, err);
    for (int s = RUN_OUT; s < RUN_STREAMS && r == 0; s++) {
        struct err logs = ERR_INIT;
        if (run->output[s].ended)
            continue;
        r = link_wait(&run->c->link, run->output[s].msgid, NULL, &logs);
        if (r == 0 || r == -ENOENT) { /* not found: it never began, so there is no output */
            run->output[s].ended = true;
            r = 0;
            continue;
        }
        *err = logs;
        err_prefix(err, "its output");
    }
    return r;
}

static int cmd_run_wait(struct cmd_run *run, struct err *err)
{
    int r = cmd_run_take(run, err);
    while (reconnect_helps(run->c, r)) {
        run->away = 0;
        r = reconnect(run->c, err);
        run->cancelled = run->cancelled || run->signals > 0;
        if (r == 0)
            r = cmd_run_take(run, err);
    }
    return r;
}

/* ---- the end ---- */

static int cmd_run_status(struct cmd_run *run, const msgpack_object *task)
{
    const msgpack_object *error = map_get(task, "error");
    if (run->signal && outcome_is(task, "cancelled"))
        return EXIT_SIGNAL + run->signal;
    bool own = map_get(error, "exit") || map_get(error, "signal");
    if (outcome_is(task, "failed") &&
        (!own || bytes_equal(map_text(error, "type"), "OSError"))) {
        _cleanup_(buf_done) struct buf sentence = BUF_INIT;
        outcome_sentence(&sentence, task);
        context_say(run->c, "%s", buf_cstr(&sentence) ? buf_cstr(&sentence) : "failed");
    }
    return outcome_own_exit(task);
}

/* Where the task is that this does not wait for any longer. */
static void cmd_run_part(const struct cmd_run *run)
{
    unsigned long long id = run->id;
    if (id)
        context_say(run->c, "task %llu goes on: aioctl logs -f %llu", id, id);
    else if (run->sent)
        context_say(run->c, "left before the task's id was known: it may or may not have been "
                            "accepted, `aioctl status` tells");
    else
        context_say(run->c, "nothing was submitted");
}

static int cmd_run_end(struct cmd_run *run, int r, const struct err *err)
{
    if (r == 0)
        return cmd_run_status(run, run->reply->result);
    if (!run->hung_up && !run->left) {
        int status = context_fail(run->c, err);
        if (run->id)
            cmd_run_part(run);
        return status;
    }
    cmd_run_part(run);
    return EXIT_SIGNAL + (run->hung_up ? SIGHUP : run->signal);
}

static int cmd_run_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct spec_options *o = options;
    struct cmd_run run = {.c = c, .signal_fd = -1};
    struct err err = ERR_INIT;
    for (int s = RUN_OUT; s < RUN_STREAMS; s++)
        run.output[s].ended = o->call != NULL; /* it is no command */
    int r = cmd_run_signals_begin(&run, &err);
    if (r == 0)
        r = cmd_run_submit(&run, o, words, n, &err);
    if (r == 0)
        r = cmd_run_wait(&run, &err);
    int status = cmd_run_end(&run, r, &err);
    c->link.watch_fd = -1;
    defs_closep(&run.signal_fd);
    (void)reply_free(run.reply);
    return status;
}

const struct command cmd_run = {
    .name = "run",
    .synopsis = "[OPTION…] COMMAND [ARG…]\n"
                "       aioctl run [OPTION…] -c LINE\n"
                "       aioctl run [OPTION…] --call FUNCTION [ARG…]",
    .summary = "submit, follow the output, exit with the task's status (asyncio.run)",
    .text =
        "Takes the options of submit. Ctrl-C and TERM cancel the task, a second one kills it;\n"
        "a terminal that hangs up leaves it running. Goes on when the event loop is "
        "restarted.\n"
        "Exits with the command's own status, 128+N for signal N, 125 for aioctl's own "
        "errors,\n"
        "126 and 127 as shells do.",
    .options = spec_defs,
    .noptions = SPEC_RUN_NDEFS,
    .options_size = sizeof(struct spec_options),
    .stop_at_word = true,
    .own_exit = true,
    .run = cmd_run_run,
};
