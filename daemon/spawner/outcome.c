/* SPDX-License-Identifier: MIT */
/*
 * outcome - a child's end: signals to it, and its status when it is there.
 *
 * WNOWAIT leaves the process in the table until RELEASE, so that kill(-pgid) can never meet
 * another's group. glibc's waitid gives no rusage; the system call does, also with WNOWAIT.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/spawner/children.h"

void child_set_failed(struct child *child, enum spawn_step step, int err)
{
    child->end =
        (struct record){.type = RECORD_FAILED, .failed = {.step = (int32_t)step, .err = err}};
    memcpy(child->end.token, child->token, RECORD_TOKEN_BYTES);
}

void child_signal(const struct child *child, int signo)
{
    if (child->pidfd < 0)
        return;
    if (kill(-child->pid, signo) == 0 || errno != ESRCH || !child_runs(child))
        return;
    /* It has not come to its setsid yet. */
    syscall(SYS_pidfd_send_signal, child->pidfd, signo, NULL, 0);
}

static int32_t outcome_status(const siginfo_t *si)
{
    switch (si->si_code) {
    case CLD_EXITED:
        return (si->si_status & 0xff) << 8;
    case CLD_DUMPED:
        return (si->si_status & 0x7f) | 0x80;
    default:
        return si->si_status & 0x7f;
    }
}

static uint64_t outcome_us(struct timeval tv)
{
    return (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec;
}

static void child_set_exited(struct child *child, const siginfo_t *si, const struct rusage *ru)
{
    child->end = (struct record){.type = RECORD_EXITED,
                                 .exited = {.status = outcome_status(si),
                                            .wall_ns = clock_wall(),
                                            .usage = {.user_us = outcome_us(ru->ru_utime),
                                                      .system_us = outcome_us(ru->ru_stime),
                                                      .maxrss_kib = (uint64_t)ru->ru_maxrss}}};
    memcpy(child->end.token, child->token, RECORD_TOKEN_BYTES);
}

bool child_settle(struct child *child)
{
    siginfo_t si = {0};
    struct rusage ru;
    long r;

    do
        r = syscall(SYS_waitid, P_PIDFD, child->pidfd, &si, WEXITED | WNOWAIT | WNOHANG, &ru);
    while (r < 0 && errno == EINTR);
    if (r == 0 && si.si_pid == 0)
        return false;
    if (r < 0)
        child_set_failed(child, SPAWN_STEP_FORK, errno);
    else if (child->slot->step != SPAWN_STEP_NONE)
        child_set_failed(child, (enum spawn_step)child->slot->step, child->slot->err);
    else
        child_set_exited(child, &si, &ru);
    return true;
}
