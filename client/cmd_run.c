/* SPDX-License-Identifier: MIT */
/*
 * aioctl run - asyncio.run at the shell: submit, follow both streams, wait, exit with the
 * task's status.
 *
 * In time order: the signals are blocked and read from a signalfd that the link watches;
 * `submit`; then at once `logs` of both streams and `await`; notifications are written as they
 * come; when `await` and both `logs` have answered, the status is known. INT and TERM cancel
 * the task, the second one with kill; HUP leaves it running and ends. When nobody reads the
 * output any more the task is cancelled too, as a pipe would have ended the command. Nothing
 * else is printed, but for a task that could not start or fails without a status of its own.
 */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/context.h"
#include "client/outcome.h"
#include "client/output.h"
#include "client/submit.h"
#include "proto/pack.h"

enum cmd_run_stream { RUN_OUT, RUN_ERR, RUN_STREAMS };

struct cmd_run {
    struct context *c;
    int signal_fd;              /* owned */
    uint64_t id;                /* 0: not known yet */
    uint32_t logs[RUN_STREAMS]; /* msgids; 0: not asked for */
    bool closed[RUN_STREAMS];   /* nobody reads it */
    bool has_output;            /* it is a command */
    int signal;                 /* the first INT or TERM; 0: none */
    unsigned signals;           /* how many came */
    bool detached;
};

/* Begins a map of parameters with the task's id. */
static struct pack_map_place cmd_run_params(const struct cmd_run *run, struct buf *params)
{
    struct pack_map_place map = pack_map_begin(params);
    pack_key(params, &map, "id");
    pack_uint(params, run->id);
    return map;
}

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
    return link_request(&run->c->link, "cancel", &params, &msgid, err);
}

/* A signal came: what it asks for is done at once, or as soon as the id is known. */
static int cmd_run_signal(void *arg, struct err *err)
{
    struct cmd_run *run = arg;
    struct signalfd_siginfo info;
    if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
        return 0;
    if (info.ssi_signo == SIGHUP) {
        run->detached = true;
        return err_set(err, -ECANCELED, "detached");
    }
    if (!run->signal)
        run->signal = (int)info.ssi_signo;
    run->signals++;
    if (run->id)
        return cmd_run_cancel(run, run->signals > 1, err);
    if (run->signals > 1)
        return err_set(err, -ECANCELED, "interrupted before the task's id was known");
    return 0;
}

static int cmd_run_output(void *arg, const struct rpc_message *message, struct err *err)
{
    struct cmd_run *run = arg;
    uint64_t request = map_uint(message->params, "request", 0);
    struct bytes data = map_text(message->params, "data");
    if (!bytes_equal(message->method, "logs") || !data.data)
        return 0;
    for (int s = RUN_OUT; s < RUN_STREAMS; s++) {
        if (!run->logs[s] || run->logs[s] != request || run->closed[s])
            continue;
        int r = output_write(s == RUN_OUT ? STDOUT_FILENO : STDERR_FILENO, data.data, data.len,
                             err);
        if (r < 0) {
            run->closed[s] = true;
            return cmd_run_cancel(run, false, err);
        }
    }
    return 0;
}

static int cmd_run_signals_begin(struct cmd_run *run, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return run->signal_fd < 0 ? err_errno(err, -errno, "signals cannot be watched") : 0;
}

static int cmd_run_follow(struct cmd_run *run, enum cmd_run_stream stream, struct err *err)
{
    _cleanup_(buf_done) struct buf params = BUF_INIT;
    struct pack_map_place map = cmd_run_params(run, &params);
    pack_key(&params, &map, "stream");
    pack_text(&params, stream == RUN_OUT ? "out" : "err");
    pack_key(&params, &map, "follow");
    pack_bool(&params, true);
    pack_map_end(&params, &map);
    return link_request(&run->c->link, "logs", &params, &run->logs[stream], err);
}

static int cmd_run_submit(struct cmd_run *run, const struct spec_options *o, char **words,
                          size_t n, struct err *err)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    uint32_t msgid;
    int r = submit_send(run->c, o, words, n, !o->call, &msgid, err);
    if (r < 0)
        return r;
    run->c->link.on_notification = cmd_run_output;
    run->c->link.notification_arg = run;
    run->c->link.watch_fd = run->signal_fd;
    run->c->link.on_watch = cmd_run_signal;
    run->c->link.watch_arg = run;
    r = context_wait(run->c, msgid, &reply, err);
    if (r == 0)
        run->id = map_uint(reply->result, "id", 0);
    if (r == 0 && run->signals > 0)
        r = cmd_run_cancel(run, false, err);
    return r;
}

/* Waits until the task is DONE and its output has been written. */
static int cmd_run_wait(struct cmd_run *run, struct reply **ret, struct err *err)
{
    _cleanup_(buf_done) struct buf params = BUF_INIT;
    struct pack_map_place map = cmd_run_params(run, &params);
    pack_map_end(&params, &map);
    uint32_t await;
    int r = 0;
    for (int s = RUN_OUT; s < RUN_STREAMS && r == 0 && run->has_output; s++)
        r = cmd_run_follow(run, (enum cmd_run_stream)s, err);
    if (r == 0)
        r = link_request(&run->c->link, "await", &params, &await, err);
    if (r == 0)
        r = link_wait(&run->c->link, await, ret, err);
    for (int s = RUN_OUT; s < RUN_STREAMS && r == 0 && run->has_output; s++) {
        struct err logs = ERR_INIT;
        if (link_wait(&run->c->link, run->logs[s], NULL, &logs) == 0 || logs.code == -ENOENT)
            continue; /* not found: it never began, so there is no output */
        *err = logs;
        r = err_prefix(err, "its output");
    }
    return r;
}

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

static int cmd_run_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct spec_options *o = options;
    struct cmd_run run = {.c = c, .signal_fd = -1, .has_output = !o->call};
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct err err = ERR_INIT;
    int r = cmd_run_signals_begin(&run, &err);
    if (r == 0)
        r = cmd_run_submit(&run, o, words, n, &err);
    if (r == 0)
        r = cmd_run_wait(&run, &reply, &err);
    int status;
    if (run.detached)
        status = EXIT_SIGNAL + SIGHUP;
    else if (r == 0)
        status = cmd_run_status(&run, reply->result);
    else
        status = context_fail(c, &err);
    c->link.watch_fd = -1;
    defs_closep(&run.signal_fd);
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
        "a terminal that hangs up leaves it running. Exits with the command's own status,\n"
        "128+N for signal N, 125 for aioctl's own errors, 126 and 127 as shells do.",
    .options = spec_defs,
    .noptions = SPEC_NDEFS,
    .options_size = sizeof(struct spec_options),
    .stop_at_word = true,
    .own_exit = true,
    .run = cmd_run_run,
};
