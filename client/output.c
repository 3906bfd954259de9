/* SPDX-License-Identifier: MIT */
/*
 * output - a descriptor may be a pipe, a file on a full disk, or somebody's non-blocking
 * terminal.
 */
#include "client/output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

int output_write(int fd, const void *bytes, size_t len, struct err *err)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EAGAIN) {
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE)
            return err_set(err, -EPIPE, "nobody reads the output");
        if (n < 0)
            return err_errno(err, -errno, "writing the output");
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int output_flush(int fd, struct buf *b, struct err *err)
{
    if (!buf_ok(b))
        return err_set(err, -ENOMEM, "out of memory");
    int r = output_write(fd, b->data, b->len, err);
    buf_clear(b);
    return r;
}
