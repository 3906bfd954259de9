/* SPDX-License-Identifier: MIT */
/*
 * start - by systemd or detached; then connect until it listens, hello until it answers.
 *
 * The time for all of it is bounded, and it is spent in link_pause and link_wait, where signals
 * that the caller watches are served.
 */
#include "client/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/accounts.h"
#include "base/clock.h"
#include "client/detached.h"
#include "client/instance.h"

#define START_PATIENCE_NS (30 * NSEC_PER_SEC) /* a large state takes seconds to load */
#define START_LOOK_NS     (10 * NSEC_PER_MSEC)

enum {
    START_EXIT_NO_UNIT = 5,        /* of systemctl: there is no such unit */
    START_EXIT_NO_SYSTEMCTL = 127, /* ours */
};

static const char start_socket_name[] = "/aiod/control.sock";

/* ---- may it be? ---- */

static bool start_forbidden(void)
{
    const char *no = getenv("AIOD_NO_START");
    return no && no[0] && strcmp(no, "0") != 0;
}

/* The directory that the user's runtime files are in: the socket's, but for aiod's own part. */
static char *start_base(const char *socket)
{
    size_t len = strlen(socket), tail = strlen(start_socket_name);
    return len > tail ? strndup(socket, len - tail) : strdup("/");
}

/* After su or sudo it may still be the one of the user before: nothing of ours belongs there. */
static int start_check_base(const char *base, struct err *err)
{
    struct stat st;
    if (stat(base, &st) < 0 || st.st_uid == getuid())
        return 0; /* one that is not there, aiod may make, or says why not */
    return err_set(err, -EPERM,
                   "%s belongs to uid %u: unset XDG_RUNTIME_DIR, or set it to a directory of "
                   "yours",
                   base, (unsigned)st.st_uid);
}

/* ---- by systemd ---- */

/* Whether the user's systemd can be asked. */
static bool start_has_systemd(const char *base)
{
    _cleanup_(defs_freep) char *path = NULL;
    struct err ignored = ERR_INIT;
    if (asprintf(&path, "%s/systemd/private", base) < 0) {
        path = NULL;
        return false;
    }
    _cleanup_(defs_closep) int fd = instance_connect(path, &ignored);
    return fd >= 0;
}

_Noreturn static void start_exec_systemctl(const char *base, int said)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setenv("XDG_RUNTIME_DIR", base, 1);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        dup2(said, STDERR_FILENO) >= 0)
        (void)execlp("systemctl", "systemctl", "--user", "--quiet", "--no-ask-password",
                     "start", "aiod.socket", (char *)NULL);
    _exit(START_EXIT_NO_SYSTEMCTL);
}

/* Runs systemctl. Its exit status; what it said is in said. */
static int start_systemctl(const char *base, int said, struct err *err)
{
    int status = 0;
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, -errno, "fork");
    if (pid == 0)
        start_exec_systemctl(base, said);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return 0; /* SIGCHLD is ignored here; the socket tells how it ended */
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
}

/* 1: systemd listens for it now; 0: systemd does not know it; or a negative errno. */
static int start_by_systemd(const char *base, struct err *err)
{
    char text[ERR_MSG_MAX] = "";
    if (!start_has_systemd(base))
        return 0;
    _cleanup_(defs_closep) int said = memfd_create("systemctl", MFD_CLOEXEC);
    int status =
        said < 0 ? err_errno(err, -errno, "memfd_create") : start_systemctl(base, said, err);
    if (status < 0)
        return status;
    if (status == START_EXIT_NO_UNIT || status == START_EXIT_NO_SYSTEMCTL)
        return 0;
    if (status == 0)
        return 1;
    ssize_t n = pread(said, text, sizeof(text) - 1, 0);
    text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
    return err_set(err, -ECHILD, "systemctl --user start aiod.socket: %s", text);
}

/* Without lingering the user's systemd ends with the last session, and all that it started. */
static bool start_lingers(void)
{
    char path[256];
    const char *user = accounts_self();
    if (!user)
        return false;
    (void)snprintf(path, sizeof(path), "/var/lib/systemd/linger/%s", user);
    return access(path, F_OK) == 0;
}

/* ---- until it answers ---- */

/* Connects until somebody listens; d, if not NULL, is the one that is coming up. */
static int start_connect(struct context *c, struct detached *d, uint64_t until, struct err *err)
{
    for (;;) {
        *err = (struct err)ERR_INIT;
        int r = link_reopen(&c->link, err);
        if (r == 0 || (!instance_absent(r) && r != -EAGAIN))
            return r;
        if (clock_awake() >= until)
            return -ETIME;
        r = d ? detached_step(d, err) : 0;
        if (r == 0)
            r = link_pause(&c->link, START_LOOK_NS, err);
        if (r < 0)
            return r;
    }
}

static int start_hello(struct context *c, uint64_t until, struct err *err)
{
    int r = link_hello(&c->link, &c->hello_msgid, err);
    c->link.deadline_ns = until;
    if (r == 0)
        r = context_hello(c, err);
    c->link.deadline_ns = 0;
    return r;
}

static int start_unit(struct context *c, uint64_t until, struct err *err)
{
    int r = start_connect(c, NULL, until, err);
    if (r == -ETIME)
        return err_set(err, r,
                       "aiod.socket of your systemd is active, but there is no %s: `systemctl "
                       "--user restart aiod.socket`",
                       c->link.name);
    if (r == 0)
        r = start_hello(c, until, err);
    if (r < 0 && c->link.broken)
        return err_set(err, r,
                       "aiod.service of your systemd does not answer: `journalctl --user -u "
                       "aiod` says why");
    if (r == 0)
        context_say(c, "started your event loop (aiod.socket of your systemd)%s",
                    start_lingers() ? ""
                                    : "; its tasks end when you log out: `loginctl "
                                      "enable-linger` keeps them");
    return r;
}

static int start_process(struct context *c, struct detached *d, uint64_t until, struct err *err)
{
    int r = start_connect(c, d, until, err);
    if (r == -ETIME && d->pid == 0)
        return err_set(err, r, "process %d has %s and does not answer at %s",
                       (int)detached_holder(d), d->state_dir, c->link.name);
    if (r == 0)
        r = start_hello(c, until, err);
    if (r == -ETIME || (r < 0 && c->link.lost))
        return err_set(err, r, "it does not answer: see %s", d->log ? d->log : d->state_dir);
    if (r == 0 && d->pid != 0)
        context_say(c, "started your event loop (aiod, process %d; its log is %s)", (int)d->pid,
                    d->log);
    return r;
}

int start(struct context *c, const char *socket, struct err *err)
{
    struct detached d = DETACHED_INIT;
    _cleanup_(defs_freep) char *base = start_base(socket);
    uint64_t until = clock_awake() + START_PATIENCE_NS;
    if (!base)
        return err_set(err, -ENOMEM, "out of memory");
    int r = link_open(&c->link, socket, err);
    if (r == 0)
        return start_hello(c, until, err);
    if (start_forbidden())
        return err_set(err, r,
                       "no running event loop at %s, and AIOD_NO_START forbids to start it: "
                       "`aiod --user`",
                       socket);
    *err = (struct err)ERR_INIT;
    r = start_check_base(base, err);
    if (r == 0)
        r = start_by_systemd(base, err);
    if (r > 0) {
        r = start_unit(c, until, err);
    } else if (r == 0) {
        r = detached_begin(&d, err);
        if (r == 0)
            r = start_process(c, &d, until, err);
        detached_done(&d);
    }
    if (r < 0 && r != -ECANCELED) /* a callback's: somebody has had enough of it */
        err_prefix(err, "your event loop cannot be started");
    return r;
}
