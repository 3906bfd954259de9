/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/launch.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/spawner/raw.h"

bool launch_can_share(void)
{
    enum { MAJOR = 5, MINOR = 16 };
    struct utsname un;
    unsigned major, minor;
    if (!RAW_REGISTERS || uname(&un) < 0 || sscanf(un.release, "%u.%u", &major, &minor) != 2)
        return false;
    return major > MAJOR || (major == MAJOR && minor >= MINOR);
}

void launches_init(struct launches *ls)
{
    *ls = (struct launches){0};
    list_init(&ls->sharing);
    list_init(&ls->idle);
}

static void launch_free(struct launch *l)
{
    if (l->stack)
        munmap(l->stack - LAUNCH_GUARD, LAUNCH_GUARD + LAUNCH_STACK);
    free(l);
}

void launch_give(struct launches *ls, struct launch *l)
{
    spec_view_done(&l->spec);
    if (ls->nidle == LAUNCHES_IDLE_MAX) {
        launch_free(l);
        return;
    }
    list_push_front(&ls->idle, &l->node);
    ls->nidle++;
}

/* Takes back what children have finished with. */
static void launches_sweep(struct launches *ls)
{
    list_for_each_safe (node, &ls->sharing) {
        struct launch *l = container_of(node, struct launch, node);
        if (__atomic_load_n(&l->in_use, __ATOMIC_ACQUIRE))
            continue;
        list_remove(&l->node);
        ls->nsharing--;
        launch_give(ls, l);
    }
}

void launches_done(struct launches *ls)
{
    struct list *node;
    launches_sweep(ls);
    while ((node = list_pop_front(&ls->idle)))
        launch_free(container_of(node, struct launch, node));
}

void launches_ended(struct launches *ls, pid_t pid)
{
    list_for_each (node, &ls->sharing) {
        struct launch *l = container_of(node, struct launch, node);
        if (l->pid == pid)
            l->in_use = 0;
    }
    launches_sweep(ls);
}

/* No other child copies it: a hole below for an overflow, and no part of any fork. */
static char *launch_map_stack(void)
{
    char *map = mmap(NULL, LAUNCH_GUARD + LAUNCH_STACK, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    if (mprotect(map, LAUNCH_GUARD, PROT_NONE) < 0 ||
        madvise(map, LAUNCH_GUARD + LAUNCH_STACK, MADV_DONTFORK) < 0) {
        munmap(map, LAUNCH_GUARD + LAUNCH_STACK);
        return NULL;
    }
    return map + LAUNCH_GUARD;
}

static struct launch *launch_new(struct launches *ls)
{
    struct list *node = list_pop_front(&ls->idle);
    if (!node)
        return calloc(1, sizeof(struct launch));
    ls->nidle--;
    return container_of(node, struct launch, node);
}

struct launch *launch_take(struct launches *ls, bool share)
{
    launches_sweep(ls);
    struct launch *l = launch_new(ls);
    if (!l)
        return NULL;
    list_init(&l->node);
    l->in_use = share && ls->nsharing < LAUNCHES_SHARING_MAX;
    if (l->in_use && !l->stack)
        l->stack = launch_map_stack();
    if (!l->stack)
        l->in_use = 0;
    return l;
}

/* fork, with a pidfd made by the same call: when descriptors or memory are short it fails
 * before there is a process. */
static pid_t launch_fork(struct launch *l, int *ret_pidfd)
{
#ifdef __s390x__
    long pid = syscall(SYS_clone, 0, CLONE_PIDFD | SIGCHLD, ret_pidfd, 0, 0);
#else
    long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, ret_pidfd, 0, 0);
#endif
    if (pid == 0)
        child_run(&l->start);
    return (pid_t)(pid < 0 ? -errno : pid);
}

/* No handler of ours can run in the child: there is none. */
static pid_t launch_share(struct launch *l, int *ret_pidfd)
{
    int flags = CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID | SIGCHLD;
    int pid = clone(child_run, l->stack + LAUNCH_STACK, flags, &l->start, ret_pidfd, NULL,
                    (pid_t *)&l->in_use);
    return pid < 0 ? -errno : pid;
}

pid_t launch_run(struct launches *ls, struct launch *l, int *ret_pidfd)
{
    if (!l->in_use) {
        pid_t pid = launch_fork(l, ret_pidfd);
        launch_give(ls, l);
        return pid;
    }
    pid_t pid = launch_share(l, ret_pidfd);
    if (pid < 0) {
        launch_give(ls, l);
        return pid;
    }
    l->pid = pid;
    list_push_back(&ls->sharing, &l->node);
    ls->nsharing++;
    return pid;
}
