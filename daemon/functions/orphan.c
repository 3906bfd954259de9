/* SPDX-License-Identifier: MIT */
#include "daemon/functions/orphan.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defs.h"
#include "daemon/spawner/ticks.h"

struct orphan {
    struct aio_reader *reader; /* owned */
    void (*gone)(void *ctx);
    void *ctx;
    int pidfd; /* owned */
    pid_t pid; /* only for the group; checked through the pidfd */
};

static void orphan_ready(void *ctx, int events)
{
    struct orphan *o = ctx;
    (void)events;
    o->reader = aio_reader_free(o->reader);
    o->gone(o->ctx);
}

static int orphan_open(uint32_t pid, uint64_t start_ticks)
{
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (fd < 0)
        return -errno;
    if (start_ticks && ticks_of((pid_t)pid) == start_ticks)
        return fd;
    close(fd);
    return -ESRCH;
}

int orphan_watch(struct orphan **ret, struct aio_loop *loop, uint32_t pid, uint64_t start_ticks,
                 void (*gone)(void *ctx), void *ctx)
{
    if (pid == 0)
        return -ESRCH;
    struct orphan *o = calloc(1, sizeof(*o));
    if (!o)
        return -ENOMEM;
    *o = (struct orphan){.gone = gone, .ctx = ctx, .pid = (pid_t)pid};
    o->pidfd = orphan_open(pid, start_ticks);
    int r = o->pidfd;
    if (r >= 0)
        r = aio_reader_new(&o->reader, loop, o->pidfd, AIO_READABLE, orphan_ready, o);
    if (r < 0) {
        orphan_free(o);
        return r;
    }
    *ret = o;
    return 0;
}

void orphan_signal(const struct orphan *o, int signo)
{
    /* Signal 0 through the pidfd fails once the process has been reaped: the group's number
     * may be somebody else's then. */
    if (syscall(SYS_pidfd_send_signal, o->pidfd, 0, NULL, 0) == 0)
        kill(-o->pid, signo);
}

struct orphan *orphan_free(struct orphan *o)
{
    if (!o)
        return NULL;
    aio_reader_free(o->reader);
    defs_closep(&o->pidfd);
    free(o);
    return NULL;
}
