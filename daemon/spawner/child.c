/* SPDX-License-Identifier: MIT */
/*
 * child - see child.h. The order matters: descriptors first, so that a child that hangs holds
 * neither the connection nor the lock; the user before standard input and the working
 * directory, so that access is checked as theirs.
 */
#include "daemon/spawner/child.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "daemon/spawner/become.h"
#include "daemon/spawner/raw.h"
#include "daemon/spawner/record.h"
#include "daemon/spawner/search.h"
#include "daemon/spawner/slot.h"
#include "daemon/spawner/spec_read.h"

enum { CHILD_FAILED_STATUS = 127 }; /* nobody sees it: the slot says why */

static _Noreturn void child_fail(const struct child_start *s, enum spawn_step step, int r)
{
    s->slot->err = -r;
    s->slot->step = (int32_t)step;
    raw_exit(CHILD_FAILED_STATUS);
}

static int child_descriptors(const struct child_start *s)
{
    int r = raw_dup(s->out_fd, STDOUT_FILENO);
    if (r >= 0)
        r = raw_dup(s->err_fd, STDERR_FILENO);
    if (r >= 0)
        r = raw_close_from(STDERR_FILENO + 1);
    if (r < 0 || !s->become)
        return r;
    r = become_owner(s, STDOUT_FILENO);
    return r < 0 ? r : become_owner(s, STDERR_FILENO);
}

static int child_user(const struct child_start *s)
{
    if (s->become)
        return become_user(s);
    return s->groups ? raw_setgroups(s->spec->ngroups, s->spec->groups) : 0;
}

/* Signals that the spawner ignores or blocks; it reset all others when it started. */
static void child_signals(void)
{
    raw_signal_default(SIGPIPE);
    raw_signal_default(SIGHUP);
    raw_signals_unblock();
}

static int child_input(const char *path)
{
    int fd = raw_open(path[0] ? path : "/dev/null", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return fd;
    int r = raw_dup(fd, STDIN_FILENO);
    raw_close(fd);
    return r;
}

int child_run(void *start)
{
    const struct child_start *s = start;
    int r;

    if ((r = raw_setsid()) < 0)
        child_fail(s, SPAWN_STEP_SESSION, r);
    if ((r = child_descriptors(s)) < 0)
        child_fail(s, SPAWN_STEP_FDS, r);
    if (s->reset_oom)
        become_mortal();
    if ((r = raw_limit_files(&s->nofile)) < 0)
        child_fail(s, SPAWN_STEP_LIMITS, r);
    if ((r = child_user(s)) < 0)
        child_fail(s, SPAWN_STEP_USER, r);
    child_signals();
    raw_umask(s->spec->umask);
    if ((r = child_input(s->spec->input)) < 0)
        child_fail(s, SPAWN_STEP_STDIN, r);
    if ((r = raw_chdir(s->spec->cwd)) < 0)
        child_fail(s, SPAWN_STEP_CHDIR, r);
    r = search_exec(s->spec->argv, s->spec->env);
    child_fail(s, SPAWN_STEP_EXEC, r);
}
