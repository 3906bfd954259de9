/* SPDX-License-Identifier: MIT */
#include "daemon/service/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static int inherited_open_std(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return -errno;
    return 0;
}

int inherited_reset(struct err *err)
{
    sigset_t none;
    int r = inherited_open_std();
    if (r < 0)
        return err_errno(err, r, "/dev/null");
    /* not closed: systemd's are among them, and sd_listen_fds(3) takes them later */
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return err_errno(err, -errno, "close_range");
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return err_errno(err, -errno, "sigprocmask");
    umask(027);
    return 0;
}
