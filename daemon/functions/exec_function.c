/* SPDX-License-Identifier: MIT */
/*
 * exec as a function that can be submitted: its parameters, and what becomes of its attempts over a
 * restart. Its coroutine is exec.c.
 */
#include <errno.h>
#include <string.h>

#include "daemon/functions/exec.h"
#include "daemon/functions/exec_args.h"
#include "daemon/functions/exec_files.h"
#include "daemon/functions/processes.h"
#include "daemon/functions/register.h"
#include "daemon/tasks/tasks.h"

static int exec_expect(void *ctx, struct task *t, const struct store_task *row)
{
    struct process *p = process_new(ctx, row->token, PROCESS_UNKNOWN);
    if (!p)
        return -ENOMEM;
    memcpy(p->spawner, row->attempt_spawner, sizeof(p->spawner));
    p->same_boot = memcmp(row->attempt_boot, t->tasks->boot_id, sizeof(row->attempt_boot)) == 0;
    p->pid = row->pid;
    p->start_ticks = row->start_ticks;
    p->started_ns = row->started_ns;
    t->pid = row->pid;
    t->started_ns = row->started_ns;
    t->attached = p;
    return 0;
}

static enum attempt_fate exec_fate(void *ctx, struct task *t, struct aio_future **wait)
{
    (void)ctx;
    struct process *p = t->attached;
    switch (p->state) {
    case PROCESS_UNKNOWN:
    case PROCESS_SENT:
        *wait = process_await(p);
        return FATE_WAIT;
    case PROCESS_UNSENT:
        return FATE_UNSENT;
    case PROCESS_LOST:
        return FATE_LOST;
    case PROCESS_STARTED:
    case PROCESS_ORPHAN:
    case PROCESS_EXITED:
    case PROCESS_FAILED:
        break;
    }
    return FATE_KNOWN;
}

static void exec_settled(void *ctx, struct task *t, bool recorded)
{
    (void)ctx;
    struct process *p = TAKE_PTR(t->attached);
    if (p)
        process_free(p, recorded);
}

static const uint8_t *exec_spawner_id(void *ctx)
{
    struct processes *ps = ctx;
    return ps->spawner;
}

static const struct param exec_params[] = {
    {"argv", PARAM_TEXTS, true, true, "the command and its arguments"},
    {"cwd", PARAM_TEXT, false, false, "its working directory; default /"},
    {"env", PARAM_TEXTS, false, false, "its environment, NAME=VALUE each"},
    {"umask", PARAM_UINT, false, false, "its umask; default 18 (022)"},
    {"stdin", PARAM_TEXT, false, false, "the file it reads; default /dev/null"},
    {"split", PARAM_BOOL, false, false, "keep standard output and error apart"},
    {"line", PARAM_BOOL, false, false, "argv is sh -c LINE: show LINE"},
};

const struct function exec_function = {
    .name = "exec",
    .summary = "run a command as the user who submits it",
    .params = exec_params,
    .nparams = ARRAY_SIZE(exec_params),
    .slot = true,
    .check = exec_args_check,
    .new = exec_new,
    .ahead = exec_ahead,
    .prepare = exec_files_prepare,
    .attach = exec_attach,
    .expect = exec_expect,
    .fate = exec_fate,
    .settled = exec_settled,
    .spawner_id = exec_spawner_id,
};
