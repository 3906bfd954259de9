/* SPDX-License-Identifier: MIT */
/*
 * synced - a library for LD_PRELOAD that adds up how often a process waited for the disk, and how
 * long: fsync(2) and fdatasync(2), as two 64-bit numbers (calls, nanoseconds) in the file that
 * $BENCH_SYNCED names. strace would tell the same and slow down what is measured.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct synced {
    _Atomic uint64_t calls;
    _Atomic uint64_t ns;
};

typedef int synced_fn(int);

static struct synced synced_nowhere;
static struct synced *synced = &synced_nowhere;

__attribute__((constructor)) static void synced_open(void)
{
    const char *path = getenv("BENCH_SYNCED");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, sizeof(*synced)) < 0)
        return;
    void *shared = mmap(NULL, sizeof(*synced), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED)
        synced = shared;
    close(fd);
}

static uint64_t synced_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int synced_call(const char *name, int fd)
{
    union {
        void *symbol;
        synced_fn *fn;
    } real = {dlsym(RTLD_NEXT, name)};
    uint64_t began = synced_now();
    int r = real.fn(fd);
    atomic_fetch_add_explicit(&synced->ns, synced_now() - began, memory_order_relaxed);
    atomic_fetch_add_explicit(&synced->calls, 1, memory_order_relaxed);
    return r;
}

int fsync(int fd)
{
    return synced_call("fsync", fd);
}

int fdatasync(int fd)
{
    return synced_call("fdatasync", fd);
}
