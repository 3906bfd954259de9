/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/become.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/spawner/spec_read.h"

/* So that they can open it by /dev/stdout. Only a file of aiod's own, open for writing: no other
 * file may change hands this way. */
int become_owner(const struct child_start *s, int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid == s->uid || st.st_uid != s->peer_uid)
        return 0;
    if ((flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY)
        return -EPERM;
    return fchown(fd, s->uid, (gid_t)-1) < 0 ? -errno : 0;
}

void become_mortal(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = write(fd, "0", 1);
    (void)n;
    close(fd);
}

static int become_keyring_new(void)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0)
        return 0;
    /* There are none in this kernel, or in this sandbox: then nobody has one. */
    return errno == ENOSYS || errno == EPERM || errno == EOPNOTSUPP ? 0 : -errno;
}

/*
 * A session keyring of its own, as a login makes one: the spawner's would be shared by the commands
 * of all users, with every right to what is in it. The user's keyring is linked into it (best
 * effort), so that keys are found as in a login. It is the user's and counts to their quota of 200;
 * with more commands than that it is root's, and theirs to use. The saved id is root's here.
 */
static int become_keyring(uid_t uid)
{
    int r = become_keyring_new();
    if (r == -EDQUOT) {
        if (setresuid(0, 0, (uid_t)-1) < 0)
            return -errno;
        r = become_keyring_new();
        if (setresuid(uid, uid, (uid_t)-1) < 0)
            return -errno;
    }
    if (r == 0)
        syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING);
    return r;
}

/*
 * Until exec this process has a copy of the spawner's memory, with what was in it of other users'
 * commands. So it is made undumpable before it is wholly the user's: until exec they can neither
 * trace it nor read /proc/PID/mem, and a signal that would dump core only ends it. That has to
 * come between, because a change of the effective ids sets it to fs.suid_dumpable; giving up the
 * saved id, which comes last, does not.
 */
static int become_uid(uid_t uid)
{
    sigset_t all;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0 || setresuid(uid, uid, (uid_t)-1) < 0)
        return -errno;
    int r = become_keyring(uid);
    if (r < 0)
        return r;
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || setresuid((uid_t)-1, (uid_t)-1, uid) < 0)
        return -errno;
    return 0;
}

int become_user(const struct child_start *s)
{
    uid_t uid[3];
    gid_t gid[3];

    if (setgroups(s->spec->ngroups, s->spec->groups) < 0 ||
        setresgid(s->gid, s->gid, s->gid) < 0)
        return -errno;
    int r = become_uid(s->uid);
    if (r < 0)
        return r;
    if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
        return -errno;
    for (int i = 0; i < 3; i++)
        if (uid[i] != s->uid || gid[i] != s->gid)
            return -EPERM;
    if (s->uid != 0 && setuid(0) == 0)
        return -EPERM;
    return 0;
}
