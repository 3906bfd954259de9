/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

int process_open_std(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return -errno;
    return 0;
}

/*
 * A signal that whoever started this ignored would stay ignored in every command, and with
 * SIGCHLD ignored there would be no statuses. A terminal's hangup does not end the spawner.
 */
static void process_reset_signals(void)
{
    for (int signo = 1; signo <= SIGRTMAX; signo++) {
        struct sigaction sa;
        if (sigaction(signo, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
            signal(signo, SIG_DFL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static int process_open_signals(struct process *p, struct err *err)
{
    sigset_t set;
    process_reset_signals();
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
        return err_errno(err, -errno, "signals");
    p->sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return p->sigfd < 0 ? err_errno(err, -errno, "signals") : 0;
}

static int process_raise_limits(struct process *p, struct err *err)
{
    if (getrlimit(RLIMIT_NOFILE, &p->nofile) < 0)
        return err_errno(err, -errno, "limit of descriptors");
    struct rlimit raised = {p->nofile.rlim_max, p->nofile.rlim_max};
    p->nofile_own = p->nofile.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) < 0)
        p->nofile_own = p->nofile.rlim_cur;
    return 0;
}

/* A score above 0 is what the session gives all its programs, and only root may lower it. */
static bool process_is_spared(void)
{
    char text[16];
    int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text));
    close(fd);
    return n > 0 && text[0] == '-';
}

int process_init(struct process *p, struct err *err)
{
    *p = (struct process){.sigfd = -1, .reset_oom = process_is_spared()};
    int r = process_raise_limits(p, err);
    if (r < 0)
        return r;
    umask(077);
    if (chdir("/") < 0)
        return err_errno(err, -errno, "/");
    return process_open_signals(p, err);
}

void process_done(struct process *p)
{
    if (p->sigfd >= 0)
        close(p->sigfd);
    p->sigfd = -1;
}
