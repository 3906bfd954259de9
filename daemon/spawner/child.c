/* SPDX-License-Identifier: MIT */
/*
 * child - see child.h. The order matters: descriptors first, so that a child that hangs holds
 * neither the connection nor the lock; the user before standard input and the working
 * directory, so that access is checked as theirs.
 */
#include "daemon/spawner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/spawner/record.h"
#include "daemon/spawner/search.h"
#include "daemon/spawner/slot.h"
#include "daemon/spawner/spec_read.h"

enum { CHILD_FAILED_STATUS = 127 }; /* nobody sees it: the slot says why */

static _Noreturn void child_fail(const struct child_start *s, enum spawn_step step, int err)
{
    s->slot->err = err;
    s->slot->step = (int32_t)step;
    _exit(CHILD_FAILED_STATUS);
}

/* Signals that the spawner ignores or blocks; it reset all others when it started. */
static void child_signals(void)
{
    sigset_t none;
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* An output file that aiod made becomes the user's, so that they can open it by /dev/stdout.
 * Only a file of aiod's own, open for writing: no other file may change hands this way. */
static int child_give_file(const struct child_start *s, int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid == s->uid || st.st_uid != s->peer_uid)
        return 0;
    if ((flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY)
        return -EPERM;
    return fchown(fd, s->uid, (gid_t)-1) < 0 ? -errno : 0;
}

static int child_descriptors(const struct child_start *s)
{
    if (dup2(s->out_fd, STDOUT_FILENO) < 0 || dup2(s->err_fd, STDERR_FILENO) < 0 ||
        close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
        return -errno;
    if (!s->become)
        return 0;
    int r = child_give_file(s, STDOUT_FILENO);
    return r < 0 ? r : child_give_file(s, STDERR_FILENO);
}

/* Best effort, and as root: afterwards the file is not ours to write. */
static void child_reset_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = write(fd, "0", 1);
    (void)n;
    close(fd);
}

static int child_become(const struct child_start *s)
{
    uid_t uid[3];
    gid_t gid[3];

    if (setgroups(s->spec->ngroups, s->spec->groups) < 0 ||
        setresgid(s->gid, s->gid, s->gid) < 0 || setresuid(s->uid, s->uid, s->uid) < 0 ||
        getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
        return -errno;
    for (int i = 0; i < 3; i++)
        if (uid[i] != s->uid || gid[i] != s->gid)
            return -EPERM;
    if (s->uid != 0 && setuid(0) == 0)
        return -EPERM;
    return 0;
}

static int child_input(const char *path)
{
    int fd = open(path[0] ? path : "/dev/null", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = dup2(fd, STDIN_FILENO) < 0 ? -errno : 0;
    close(fd);
    return r;
}

_Noreturn void child_run(const struct child_start *s)
{
    int r;

    if (setsid() < 0)
        child_fail(s, SPAWN_STEP_SESSION, errno);
    child_signals();
    if ((r = child_descriptors(s)) < 0)
        child_fail(s, SPAWN_STEP_FDS, -r);
    if (s->reset_oom)
        child_reset_oom();
    if (setrlimit(RLIMIT_NOFILE, &s->nofile) < 0)
        child_fail(s, SPAWN_STEP_LIMITS, errno);
    if (s->become && (r = child_become(s)) < 0)
        child_fail(s, SPAWN_STEP_USER, -r);
    umask(s->spec->umask);
    if ((r = child_input(s->spec->input)) < 0)
        child_fail(s, SPAWN_STEP_STDIN, -r);
    if (chdir(s->spec->cwd) < 0)
        child_fail(s, SPAWN_STEP_CHDIR, errno);
    r = search_exec(s->spec->argv, s->spec->env);
    child_fail(s, SPAWN_STEP_EXEC, -r);
}
