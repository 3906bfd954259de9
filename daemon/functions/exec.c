/* SPDX-License-Identifier: MIT */
/*
 * exec(argv, …) - a command, run by the spawner as the user who submitted it.
 *
 * The happy path, in time order:
 *
 *   begin    awaits its turn to start: so many at a time hold descriptors
 *   open     awaits the opening of the output files (executor), unless that was done ahead
 *   opened   hands argv, environment and files to the spawner
 *   watch    awaits the next change of the process: started, ended
 *   exited   awaits the last line of the output (executor), if it failed
 *
 * It raises, with the details that status shows: ExitStatus and Signal (the command's own end),
 * OSError (it could not be started), LostError (its spawner or the machine died: nobody can
 * tell).
 *
 * Cancelled while it runs: SIGTERM to the process group (SIGKILL when the cancel says kill),
 * SIGKILL after the grace; it is cancelled then, however it exits. It is DONE when the command
 * itself has ended; what is left of its group keeps the rest of the grace, which the spawner
 * sees to. While the daemon stops, the command is left alone. A spawner that is gone is awaited:
 * `watch` sees what LIST tells, UNSENT goes back to begin.
 */
#include "daemon/functions/exec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/functions/exec_args.h"
#include "daemon/functions/exec_files.h"
#include "daemon/functions/processes.h"
#include "daemon/tasks/tasks.h"
#include "daemon/tasks/view.h"
#include "proto/pack.h"

struct exec {
    struct aio_co co;
    struct task *task;        /* borrowed */
    struct process *process;  /* borrowed: task->attached, freed by settled */
    struct unpacked args;     /* owned; its texts are in args_value */
    struct value *args_value; /* counted */
    struct value *env;        /* counted */
    struct value *creds;      /* counted */
    struct exec_args a;       /* points into args */
    struct exec_files *files; /* counted, as a job */
    struct aio_future *job;   /* counted */
    struct aio_timer grace;   /* wakes the process's await for SIGKILL */
    bool starting;            /* holds a permit of processes->starts */
    bool started;             /* STARTED is on record */
    bool cancelled;           /* SIGTERM was sent */
    bool killed;              /* SIGKILL too */
};

static struct aio_next exec_begin(struct aio_co *);
static struct aio_next exec_open(struct aio_co *);
static struct aio_next exec_opened(struct aio_co *);
static struct aio_next exec_watch(struct aio_co *);
static struct aio_next exec_changed(struct aio_co *);
static struct aio_next exec_ended(struct aio_co *);

static struct exec *exec_of(struct aio_co *co)
{
    return container_of(co, struct exec, co);
}

/* ---- jobs ---- */

static void exec_drop_files(struct exec *e)
{
    e->job = aio_future_unref(e->job);
    if (e->files)
        job_unref(&e->files->job);
    e->files = NULL;
}

/* The future of a new job, for the await; NULL without memory. */
static struct aio_future *exec_job(struct exec *e, job_fn *fn)
{
    const struct task *t = e->task;
    exec_drop_files(e);
    e->files = exec_files_new(t->tasks->output_fd, t->id, t->attempt, e->a.split);
    if (e->files)
        e->job = job_run(&e->files->job, t->tasks->loop, fn);
    return e->job;
}

/* ---- the frame ---- */

static void exec_grace_over(struct aio_handle *handle)
{
    struct aio_timer *timer = container_of(handle, struct aio_timer, handle);
    struct exec *e = container_of(timer, struct exec, grace);
    process_wake(e->process);
}

static void exec_is_started(struct exec *);

static void exec_done(struct aio_co *co)
{
    struct exec *e = exec_of(co);
    exec_is_started(e);
    aio_timer_cancel(e->task->tasks->sched, &e->grace);
    exec_drop_files(e);
    unpacked_done(&e->args);
    value_unref(e->args_value);
    value_unref(e->env);
    value_unref(e->creds);
}

static const struct aio_co_fn exec_new_fn = {"exec", sizeof(struct exec), STEP_INIT(exec_begin),
                                             exec_done};
static const struct aio_co_fn exec_attach_fn = {"exec", sizeof(struct exec),
                                                STEP_INIT(exec_watch), exec_done};

static struct aio_co *exec_frame(struct task *t, const struct store_task *row,
                                 const struct aio_co_fn *fn)
{
    struct aio_co *co = aio_co_new(fn);
    if (!co)
        return NULL;
    struct exec *e = exec_of(co);
    e->task = t;
    e->process = t->attached;
    e->args_value = value_ref(row->args);
    e->env = value_ref(row->env);
    e->creds = value_ref(row->creds);
    aio_timer_init(&e->grace, exec_grace_over);
    if (row->args && unpack(&e->args, row->args->bytes, row->args->len) == 0 &&
        exec_args_read(&e->args, &e->a) == 0)
        return co;
    return aio_co_free(co);
}

struct job *exec_ahead(void *ctx, struct task *t)
{
    struct processes *ps = ctx;
    if (ps->ahead >= LIMIT_SPAWNS_IN_FLIGHT)
        return NULL;
    struct exec_files *files =
        exec_files_new(t->tasks->output_fd, t->id, t->attempt + 1, false);
    if (!files)
        return NULL;
    files->ahead = &ps->ahead;
    ps->ahead++;
    return &files->job;
}

struct aio_co *exec_new(void *ctx, struct task *t, const struct store_task *row,
                        struct job *ahead)
{
    if (!t->attached)
        t->attached = process_new(ctx, row->token, PROCESS_UNSENT);
    struct aio_co *co = t->attached ? exec_frame(t, row, &exec_new_fn) : NULL;
    if (co && ahead)
        exec_of(co)->files = container_of(job_ref(ahead), struct exec_files, job);
    return co;
}

struct aio_co *exec_attach(void *ctx, struct task *t, const struct store_task *row)
{
    (void)ctx;
    return exec_frame(t, row, &exec_attach_fn);
}

/* ---- steps ---- */

/* A command that was asked to end is cancelled however it ends, also when it did so while aiod
 * was down. */
static bool exec_was_cancelled(const struct exec *e)
{
    return e->cancelled || e->task->cancel_ns != 0;
}

static struct aio_next exec_raise(struct exec *e, const char *type, const char *message,
                                  int exit, int signal)
{
    return aio_raise(&e->co, exec_was_cancelled(e) ? -ECANCELED : -EIO,
                     view_error(type, message, exit, signal));
}

/* Not all at once: between here and STARTED a command holds three descriptors of ours. */
static struct aio_next exec_begin(struct aio_co *co)
{
    struct exec *e = exec_of(co);
    if (e->starting)
        return aio_goto(co, STEP(exec_open));
    return aio_delegate(co, aio_semaphore_acquire(&e->process->processes->starts),
                        STEP(exec_open));
}

static struct aio_next exec_open(struct aio_co *co)
{
    struct exec *e = exec_of(co);
    e->starting = true;
    if (exec_files_prepared(e->files))
        return aio_goto(co, STEP(exec_opened));
    return aio_await_try(co, exec_job(e, exec_files_open), STEP(exec_opened));
}

static void exec_is_started(struct exec *e)
{
    if (e->starting)
        aio_semaphore_release(&e->process->processes->starts);
    e->starting = false;
}

static int exec_send(struct exec *e)
{
    struct spawn_request request = {
        .task = e->task->id,
        .attempt = e->task->attempt,
        .uid = e->task->uid,
        .gid = e->task->gid,
        .spec_fd = exec_files_prepared(e->files) ? TAKE_FD(e->files->spec_fd)
                                                 : exec_args_to_memfd(&e->a, e->env, e->creds),
    };
    if (request.spec_fd < 0)
        return request.spec_fd;
    memcpy(request.token, e->process->token, sizeof(request.token));
    request.out_fd = e->files->out_fd;
    request.err_fd = e->files->err_fd;
    e->files->out_fd = -1;
    e->files->err_fd = -1;
    return process_start(e->process, &request);
}

static struct aio_next exec_opened(struct aio_co *co)
{
    struct exec *e = exec_of(co);
    int err = aio_outcome(co, NULL);
    if (err == -ECANCELED)
        return aio_raise(co, err, NULL);
    if (err < 0) {
        bool told = e->files && e->files->err.code;
        return exec_raise(e, "OSError", told ? e->files->err.msg : strerror(-err), -1, -1);
    }
    if (!process_connected(e->process)) {
        task_enter(e->task, TASK_PENDING, AWAITS_SPAWNER);
        return aio_await_try(co, process_await(e->process), STEP(exec_changed));
    }
    err = exec_send(e);
    exec_drop_files(e);
    if (err < 0 && err != -ENOTCONN)
        return exec_raise(e, "OSError", strerror(-err), -1, -1);
    return aio_goto(co, STEP(exec_watch));
}

/* The disk learns the pid with some later commit: it is needed only if the spawner dies. */
static void exec_record_started(struct exec *e)
{
    struct task *t = e->task;
    const struct process *p = e->process;
    t->pid = p->pid;
    t->started_ns = p->started_ns;
    if (e->started)
        return;
    e->started = true;
    struct store_call *call = store_call_new(t->tasks->sched, STORE_STARTED);
    if (!call)
        return;
    call->op.id = t->id;
    call->op.lazy = true;
    call->op.started = (struct store_started){.id = t->id,
                                              .attempt = t->attempt,
                                              .pid = p->pid,
                                              .start_ticks = p->start_ticks,
                                              .wall_ns = p->started_ns};
    store_call_start(call, t->tasks->store);
    store_call_unref(call);
}

static struct aio_next exec_watch(struct aio_co *co)
{
    struct exec *e = exec_of(co);
    struct process *p = e->process;
    if (p->state != PROCESS_SENT && p->state != PROCESS_UNSENT)
        exec_is_started(e);
    switch (p->state) {
    case PROCESS_UNSENT:
        if (exec_was_cancelled(e))
            return aio_raise(co, -ECANCELED, NULL);
        if (process_connected(p))
            return aio_goto(co, STEP(exec_begin));
        task_enter(e->task, TASK_PENDING, AWAITS_SPAWNER);
        break;
    case PROCESS_SENT:
        task_enter(e->task, TASK_PENDING, AWAITS_SPAWNER);
        break;
    case PROCESS_STARTED:
        exec_record_started(e);
        task_enter_since(e->task, TASK_RUNNING, AWAITS_PROCESS, e->task->started_ns);
        break;
    case PROCESS_ORPHAN:
        task_enter_since(e->task, TASK_RUNNING, AWAITS_PROCESS, e->task->started_ns);
        break;
    case PROCESS_UNKNOWN:
        task_enter(e->task, TASK_RUNNING, AWAITS_SPAWNER);
        break;
    case PROCESS_EXITED:
    case PROCESS_FAILED:
    case PROCESS_LOST:
        return aio_goto(co, STEP(exec_ended));
    }
    return aio_await_try(co, process_await(p), STEP(exec_changed));
}

static void exec_cancel(struct exec *e)
{
    struct tasks *tasks = e->task->tasks;
    if (!e->cancelled) {
        e->cancelled = true;
        e->killed = e->task->cancel_kill;
        if (e->killed)
            process_signal(e->process, SIGKILL);
        else
            process_terminate(e->process, tasks->grace_ms);
        uint64_t when = clock_awake() + tasks->grace_ms * NSEC_PER_MSEC;
        if (!e->killed && aio_call_at(tasks->sched, &e->grace, AIO_AWAKE, when) < 0)
            process_signal(e->process, SIGKILL); /* no memory for patience */
    } else if (e->task->cancel_kill && !e->killed) {
        e->killed = true;
        process_signal(e->process, SIGKILL);
    }
}

/* The process changed, the grace is over, or somebody cancels. */
static struct aio_next exec_changed(struct aio_co *co)
{
    struct exec *e = exec_of(co);
    if (aio_outcome(co, NULL) == -ECANCELED) {
        if (e->task->tasks->stopping)
            return aio_raise(co, -ECANCELED, NULL);
        exec_cancel(e);
    }
    if (e->cancelled && !e->killed && clock_awake() >= e->grace.when) {
        e->killed = true;
        process_signal(e->process, SIGKILL);
    }
    return aio_goto(co, STEP(exec_watch));
}

static void exec_take_usage(struct exec *e, const struct record *record)
{
    e->task->usage =
        (struct task_usage){record->exited.usage.user_us, record->exited.usage.system_us,
                            record->exited.usage.maxrss_kib};
}

static struct aio_next exec_not_started(struct exec *e)
{
    enum { EXIT_CANNOT_EXECUTE = 126, EXIT_NOT_FOUND = 127 };
    char text[ERR_MSG_MAX];
    const struct record *r = &e->process->record;
    _cleanup_(defs_freep) char *command = bytes_dup(exec_args_command(&e->a));
    _cleanup_(defs_freep) char *cwd = bytes_dup(e->a.cwd);
    _cleanup_(defs_freep) char *input = e->a.input.data ? bytes_dup(e->a.input) : NULL;
    spawner_failure_text(text, sizeof(text), r, command ? command : "?", cwd ? cwd : "?",
                         input);
    bool missing = r->failed.step == SPAWN_STEP_EXEC && r->failed.err == ENOENT;
    const char *type = r->failed.step == SPAWN_STEP_DENIED ? "PermissionError" : "OSError";
    return exec_raise(e, type, text, missing ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE, -1);
}

static struct aio_next exec_exited(struct exec *e, const char *last_line)
{
    char text[ERR_MSG_MAX];
    int status = e->process->record.exited.status;
    const char *colon = last_line[0] ? ": " : "";
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(text, sizeof(text), "killed by SIG%s", name ? name : "?");
        return exec_raise(e, "Signal", text, -1, WTERMSIG(status));
    }
    if (WEXITSTATUS(status) == 0 && !exec_was_cancelled(e)) {
        struct buf b = BUF_INIT;
        pack_int(&b, 0);
        struct value *result = pack_take(&b);
        buf_done(&b);
        return aio_return(&e->co, result);
    }
    snprintf(text, sizeof(text), "exit %d%s%s", WEXITSTATUS(status), colon, last_line);
    return exec_raise(e, "ExitStatus", text, WEXITSTATUS(status), -1);
}

static struct aio_next exec_told(struct aio_co *co)
{
    struct exec *e = exec_of(co);
    if (aio_outcome(co, NULL) == -ECANCELED && e->task->tasks->stopping)
        return aio_raise(co, -ECANCELED, NULL);
    bool have = e->files && !job_running(&e->files->job);
    return exec_exited(e, have ? e->files->line : "");
}

static struct aio_next exec_lost(struct exec *e)
{
    char message[96];
    snprintf(message, sizeof(message), "%s: %s",
             e->process->same_boot ? "the spawner died" : "the machine went down",
             e->task->pid ? "how it ended is unknown"
                          : "whether it ran, and how it ended, is unknown");
    return exec_raise(e, "LostError", message, -1, -1);
}

static struct aio_next exec_ended(struct aio_co *co)
{
    struct exec *e = exec_of(co);
    struct process *p = e->process;
    if (p->state == PROCESS_FAILED)
        return exec_not_started(e);
    if (p->state == PROCESS_LOST)
        return exec_lost(e);
    exec_record_started(e);
    /* one that ended as soon as it began was RUNNING, too */
    task_enter_since(e->task, TASK_RUNNING, AWAITS_PROCESS, e->task->started_ns);
    exec_take_usage(e, &p->record);
    int status = p->record.exited.status;
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && !exec_was_cancelled(e))
        return aio_await_try(co, exec_job(e, exec_files_last_line), STEP(exec_told));
    return exec_exited(e, "");
}
