/* SPDX-License-Identifier: MIT */
/*
 * ballast - space kept back on the disk.
 *
 * posix_fallocate makes a file without writing it. The file stays over restarts; when SQLite
 * reports a full disk it is unlinked, which is the one thing that makes room at once.
 */
#include "daemon/store/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"

static uint64_t ballast_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What others than root may still write; UINT64_MAX where nobody can tell. */
static uint64_t ballast_space(const struct ballast *b)
{
    struct statvfs fs;
    if (fstatvfs(b->dir_fd, &fs) < 0)
        return UINT64_MAX;
    return (uint64_t)fs.f_bavail * fs.f_frsize;
}

static void ballast_take(struct ballast *b)
{
    _cleanup_(defs_closep) int fd =
        openat(b->dir_fd, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)b->want);
    if (r == 0) {
        b->held = true;
        return;
    }
    unlinkat(b->dir_fd, "ballast", 0);
    if (r != ENOSPC && r != EDQUOT && r != EINTR)
        b->want = 0; /* there is room, but not for files like this: do without */
}

static void ballast_check(struct ballast *b)
{
    uint64_t space = ballast_space(b);
    if (!b->held && b->want && space >= b->low + b->want) {
        ballast_take(b);
        space = ballast_space(b);
    }
    b->short_of_space = space < b->low + (b->held ? 0 : b->want);
}

void ballast_init(struct ballast *b, int dir_fd, uint64_t want)
{
    *b = (struct ballast){.dir_fd = dir_fd, .want = want};
    struct statvfs fs;
    if (fstatvfs(dir_fd, &fs) == 0) {
        uint64_t size = (uint64_t)fs.f_blocks * fs.f_frsize;
        b->want = ballast_min(want, size / BALLAST_SHARE);
        b->low = ballast_min(size / BALLAST_LOW_SHARE, BALLAST_LOW_BYTES_MAX);
    }
    if (b->low < b->want)
        b->low = b->want;
    struct stat st;
    if (fstatat(dir_fd, "ballast", &st, AT_SYMLINK_NOFOLLOW) == 0) {
        b->held = S_ISREG(st.st_mode) && (uint64_t)st.st_blocks * 512 >= b->want;
        if (!b->held)
            unlinkat(dir_fd, "ballast", 0);
    }
    ballast_check(b);
}

bool ballast_refuses(struct ballast *b, uint64_t now)
{
    if (now >= b->next_check) {
        ballast_check(b);
        b->next_check = now + BALLAST_CHECK_MS * NSEC_PER_MSEC;
    }
    return b->short_of_space;
}

bool ballast_release(struct ballast *b)
{
    b->short_of_space = true;
    if (!b->held)
        return false;
    b->held = false;
    return unlinkat(b->dir_fd, "ballast", 0) == 0;
}
