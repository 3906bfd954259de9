/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * raw - the system calls of a child before it executes its command, as the kernel gives them:
 * 0 or more, or -errno.
 *
 * A child that shares the spawner's memory (launch.h) may touch nothing of libc's: errno is in
 * thread-local memory, and that is the spawner's own. So where such children are made
 * (RAW_REGISTERS) a call is one instruction that changes registers alone. Elsewhere every child
 * has memory of its own, and libc does it. (SPAWNER_FORK_ONLY: sanitizers know of no memory that
 * two processes share.)
 */
#include <sys/resource.h>
#include <sys/types.h>

#if !defined(SPAWNER_FORK_ONLY) && ((defined(__x86_64__) && defined(__LP64__)) ||              \
                                    (defined(__aarch64__) && defined(__LP64__)))
#define RAW_REGISTERS 1
#else
#define RAW_REGISTERS 0
#endif

#if RAW_REGISTERS
#include <fcntl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long raw_call(long nr, long a, long b, long c, long d)
{
    long r;
    register long fourth __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return r;
}
#else
static inline long raw_call(long nr, long a, long b, long c, long d)
{
    register long number __asm__("x8") = nr;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    __asm__ volatile("svc 0"
                     : "+r"(first)
                     : "r"(number), "r"(second), "r"(third), "r"(fourth)
                     : "memory");
    return first;
}
#endif

static inline int raw_setsid(void)
{
    return (int)raw_call(SYS_setsid, 0, 0, 0, 0);
}

static inline int raw_signal_default(int signo)
{
    /* The kernel's struct sigaction: SIG_DFL is 0, and so are flags, restorer and mask. */
    static const unsigned long zero[4];
    return (int)raw_call(SYS_rt_sigaction, signo, (long)zero, 0, sizeof(zero[0]));
}

static inline int raw_signals_unblock(void)
{
    static const unsigned long none;
    return (int)raw_call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&none, 0, sizeof(none));
}

static inline int raw_open(const char *path, int flags)
{
    return (int)raw_call(SYS_openat, AT_FDCWD, (long)path, flags, 0);
}

static inline int raw_dup(int from, int to)
{
    return (int)raw_call(SYS_dup3, from, to, 0, 0);
}

static inline int raw_close(int fd)
{
    return (int)raw_call(SYS_close, fd, 0, 0, 0);
}

static inline int raw_close_from(int fd)
{
    return (int)raw_call(SYS_close_range, fd, -1, 0, 0);
}

static inline int raw_limit_files(const struct rlimit *limit)
{
    return (int)raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)limit, 0);
}

static inline int raw_setgroups(size_t n, const gid_t *groups)
{
    return (int)raw_call(SYS_setgroups, (long)n, (long)groups, 0, 0);
}

static inline void raw_umask(mode_t mask)
{
    raw_call(SYS_umask, (long)mask, 0, 0, 0);
}

static inline int raw_chdir(const char *path)
{
    return (int)raw_call(SYS_chdir, (long)path, 0, 0, 0);
}

static inline int raw_execve(const char *file, char *const *argv, char *const *env)
{
    return (int)raw_call(SYS_execve, (long)file, (long)argv, (long)env, 0);
}

static inline _Noreturn void raw_exit(int status)
{
    for (;;)
        raw_call(SYS_exit_group, status, 0, 0, 0);
}

#else /* libc does it */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int raw_result(int r)
{
    return r < 0 ? -errno : r;
}

static inline int raw_setsid(void)
{
    return raw_result((int)setsid());
}

static inline int raw_signal_default(int signo)
{
    return signal(signo, SIG_DFL) == SIG_ERR ? -errno : 0;
}

static inline int raw_signals_unblock(void)
{
    sigset_t none;
    sigemptyset(&none);
    return raw_result(sigprocmask(SIG_SETMASK, &none, NULL));
}

static inline int raw_open(const char *path, int flags)
{
    return raw_result(open(path, flags));
}

static inline int raw_dup(int from, int to)
{
    return raw_result(dup2(from, to));
}

static inline int raw_close(int fd)
{
    return raw_result(close(fd));
}

static inline int raw_close_from(int fd)
{
    return raw_result(close_range((unsigned)fd, ~0U, 0));
}

static inline int raw_limit_files(const struct rlimit *limit)
{
    return raw_result(setrlimit(RLIMIT_NOFILE, limit));
}

static inline int raw_setgroups(size_t n, const gid_t *groups)
{
    return raw_result(setgroups(n, groups));
}

static inline void raw_umask(mode_t mask)
{
    umask(mask);
}

static inline int raw_chdir(const char *path)
{
    return raw_result(chdir(path));
}

static inline int raw_execve(const char *file, char *const *argv, char *const *env)
{
    return raw_result(execve(file, argv, env));
}

static inline _Noreturn void raw_exit(int status)
{
    _exit(status);
}
#endif
