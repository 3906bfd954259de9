/* SPDX-License-Identifier: MIT */
/*
 * marker - the files `instance` and `clean` of a state directory.
 *
 * They are files and not rows so that they can be believed when the database cannot, and so
 * that an open writes nothing on a full disk: `clean` is taken by unlink(2).
 */
#include "daemon/store/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"

enum { MARKER_TEXT_BYTES = 36 }; /* 8-4-4-4-12 */

static void marker_format(char text[MARKER_TEXT_BYTES + 2], const uint8_t u[MARKER_UUID_BYTES])
{
    snprintf(text, MARKER_TEXT_BYTES + 2,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n", u[0],
             u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
             u[14], u[15]);
}

static void marker_parse(const char *text, uint8_t ret[MARKER_UUID_BYTES])
{
    uint8_t u[MARKER_UUID_BYTES];
    int n = sscanf(text,
                   "%2hhx%2hhx%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-"
                   "%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx",
                   &u[0], &u[1], &u[2], &u[3], &u[4], &u[5], &u[6], &u[7], &u[8], &u[9], &u[10],
                   &u[11], &u[12], &u[13], &u[14], &u[15]);
    if (n == MARKER_UUID_BYTES)
        memcpy(ret, u, sizeof(u));
    else
        memset(ret, 0, MARKER_UUID_BYTES);
}

int marker_instance_read(int dir_fd, const char *dir, uint8_t ret[MARKER_UUID_BYTES],
                         struct err *err)
{
    _cleanup_(defs_closep) int fd =
        openat(dir_fd, "instance", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        if (errno == ENOENT)
            return 0;
        return err_errno(err, -errno, "cannot open %s/instance", dir);
    }
    char text[MARKER_TEXT_BYTES + 2] = {0};
    if (read(fd, text, sizeof(text) - 1) < 0)
        return err_errno(err, -errno, "cannot read %s/instance", dir);
    marker_parse(text, ret);
    return 1;
}

static int marker_write(int dir_fd, const char *text)
{
    _cleanup_(defs_closep) int fd = openat(
        dir_fd, "instance.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, strlen(text));
    if (n != (ssize_t)strlen(text))
        return n < 0 ? -errno : -ENOSPC;
    if (fsync(fd) < 0 || renameat(dir_fd, "instance.new", dir_fd, "instance") < 0 ||
        fsync(dir_fd) < 0)
        return -errno;
    return 0;
}

int marker_instance_write(int dir_fd, const char *dir, const uint8_t uuid[MARKER_UUID_BYTES],
                          struct err *err)
{
    char text[MARKER_TEXT_BYTES + 2];
    marker_format(text, uuid);
    int r = marker_write(dir_fd, text);
    return r < 0 ? err_errno(err, r, "cannot write %s/instance", dir) : 0;
}

int marker_clean_take(int dir_fd, const char *dir, struct err *err)
{
    if (unlinkat(dir_fd, "clean", 0) < 0) {
        if (errno == ENOENT)
            return 0;
        return err_errno(err, -errno, "cannot remove %s/clean", dir);
    }
    if (fsync(dir_fd) < 0)
        return err_errno(err, -errno, "cannot sync %s", dir);
    return 1;
}

void marker_clean_put(int dir_fd)
{
    int fd = openat(dir_fd, "clean", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    close(fd);
    fsync(dir_fd);
}
