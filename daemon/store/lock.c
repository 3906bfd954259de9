/* SPDX-License-Identifier: MIT */
/*
 * lock - one process a state directory.
 *
 * The kernel gives the lock back when its holder dies, however it dies; the file stays. The pid
 * in it is for people: it means something only while the lock is held.
 */
#include "daemon/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/defs.h"

enum { LOCK_RETRY_MS = 20, LOCK_RETRIES = 50 };

static long lock_holder(int fd)
{
    char text[32] = {0};
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

/* A child that its holder forked just before it was killed has the lock until it calls exec: if
 * the holder has gone, it will be free in a moment. */
static bool lock_is_orphaned(int fd, unsigned *tries)
{
    const struct timespec moment = {.tv_nsec = LOCK_RETRY_MS * 1000000L};
    long pid = lock_holder(fd);
    if (*tries == 0 || pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
        return false;
    (*tries)--;
    nanosleep(&moment, NULL);
    return true;
}

static int lock_busy(int fd, const char *dir, struct err *err)
{
    long pid = lock_holder(fd);
    if (pid > 0)
        return err_set(err, -EBUSY, "another aiod, process %ld, uses %s", pid, dir);
    return err_set(err, -EBUSY, "another aiod uses %s", dir);
}

/* On a full disk the name of the holder is not worth a failure. */
static void lock_sign(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) < 0)
        return;
}

int store_lock_take(int dir_fd, const char *dir, struct err *err)
{
    _cleanup_(defs_closep) int fd =
        openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, -errno, "cannot open %s/lock", dir);
    unsigned tries = LOCK_RETRIES;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            if (lock_is_orphaned(fd, &tries))
                continue;
            return lock_busy(fd, dir, err);
        }
        if (errno != EINTR)
            return err_errno(err, -errno, "cannot lock %s/lock", dir);
    }
    lock_sign(fd);
    int ret = fd;
    fd = -1;
    return ret;
}
