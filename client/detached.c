/* SPDX-License-Identifier: MIT */
/*
 * detached - find the places, take the lock, fork and exec, and read from the log why it ended.
 */
#include "client/detached.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"

enum {
    DETACHED_LOG_BYTES = 1024 * 1024, /* then the log of the ones before is set aside */
    DETACHED_REASON_BYTES = 4096,     /* how far back in it the reason is looked for */
    DETACHED_PATH_BYTES = 4096,
    DETACHED_ENV_MAX = 64,
};

/* What aiod and the spawner need to find things and to speak; a name that ends with * stands for
 * all that begin so. Commands have the environment of whoever submitted them. */
static const char *const detached_variables[] = {
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TZ",
    "USER",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
};

/* ---- places ---- */

/* $XDG_STATE_HOME/aiod, else ~/.local/state/aiod. */
static int detached_state_dir(char **ret, struct err *err)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int n;
    if (state && state[0] == '/')
        n = asprintf(ret, "%s/aiod", state);
    else if (home && home[0] == '/')
        n = asprintf(ret, "%s/.local/state/aiod", home);
    else
        return err_set(err, -EINVAL,
                       "neither $XDG_STATE_HOME nor $HOME says where its state can be kept");
    if (n < 0)
        *ret = NULL;
    return n < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

/* The directory and those above it; what is there stays as it is. */
static int detached_make_dir(char *path, struct err *err)
{
    int above =
        0; /* why one of those above could not be made, which matters if it is not there */
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST && !above)
            above = -errno;
        *slash = '/';
    }
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return err_errno(err, errno == ENOENT && above ? above : -errno, "its state directory %s",
                     path);
}

static bool detached_executable(char *path, const char *dir, size_t len)
{
    struct stat st;
    int n = snprintf(path, DETACHED_PATH_BYTES, "%.*s/aiod", (int)len, dir);
    return n < DETACHED_PATH_BYTES && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           access(path, X_OK) == 0;
}

/* Beside our own executable, else along PATH. */
static int detached_find(char path[DETACHED_PATH_BYTES], struct err *err)
{
    char own[DETACHED_PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(own, '/');
    if (slash && detached_executable(path, own, (size_t)(slash - own)))
        return 0;
    for (const char *at = getenv("PATH"); at;) {
        size_t len = strcspn(at, ":");
        if (at[0] == '/' && detached_executable(path, at, len))
            return 0;
        at = at[len] ? at + len + 1 : NULL;
    }
    return err_set(err, -ENOENT, "there is no executable aiod beside aioctl or in PATH");
}

/* ---- the log ---- */

static int detached_open_log(struct detached *d, struct err *err)
{
    struct stat st;
    _cleanup_(defs_freep) char *old = NULL;
    if (d->log_fd >= 0)
        return 0;
    if (asprintf(&d->log, "%s/aiod.log", d->state_dir) < 0 ||
        asprintf(&old, "%s.old", d->log) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    if (lstat(d->log, &st) == 0 && st.st_size > DETACHED_LOG_BYTES)
        (void)rename(d->log, old);
    d->log_fd = open(d->log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->log_fd < 0 || fstat(d->log_fd, &st) < 0)
        return err_errno(err, -errno, "its log %s", d->log);
    d->log_begin = st.st_size;
    return 0;
}

/* The last line that it wrote, without time and name; "" for none. */
static void detached_reason(const struct detached *d, char text[DETACHED_REASON_BYTES + 1])
{
    struct stat st;
    off_t from = d->log_begin;
    if (fstat(d->log_fd, &st) == 0 && st.st_size - from > DETACHED_REASON_BYTES)
        from = st.st_size - DETACHED_REASON_BYTES;
    ssize_t n = pread(d->log_fd, text, DETACHED_REASON_BYTES, from);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n > 0 ? n : 0] = '\0';
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    const char *name = strstr(line, " aiod: ");
    line = name ? name + strlen(" aiod: ") : line;
    memmove(text, line, strlen(line) + 1);
}

/* ---- the process ---- */

static bool detached_passes(const char *variable)
{
    size_t len = strcspn(variable, "=");
    for (size_t i = 0; i < ARRAY_SIZE(detached_variables); i++) {
        const char *name = detached_variables[i];
        size_t n = strcspn(name, "*");
        if (strncmp(variable, name, n) == 0 && (name[n] == '*' || n == len))
            return true;
    }
    return false;
}

static void detached_environment(char *env[DETACHED_ENV_MAX])
{
    size_t n = 0;
    for (char **at = environ; *at && n + 1 < DETACHED_ENV_MAX; at++) {
        if (detached_passes(*at))
            env[n++] = *at;
    }
    env[n] = NULL;
}

static void detached_reset_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int signo = 1; signo < NSIG; signo++)
        (void)sigaction(signo, &plain, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The child. What goes wrong is said in the log. */
_Noreturn static void detached_exec(const struct detached *d, const char *path)
{
    static char *const argv[] = {(char *)"aiod", (char *)"--user", NULL};
    char *env[DETACHED_ENV_MAX];
    int null = open("/dev/null", O_RDWR);
    (void)setsid();
    (void)umask(077);
    if (null >= 0 && chdir("/") == 0 && dup2(d->log_fd, STDERR_FILENO) >= 0 &&
        dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0) {
        (void)close_range(STDERR_FILENO + 1, ~0U, 0);
        detached_reset_signals();
        detached_environment(env);
        (void)execve(path, argv, env);
    }
    (void)dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

static int detached_spawn(struct detached *d, struct err *err)
{
    char path[DETACHED_PATH_BYTES];
    int r = detached_open_log(d, err);
    if (r == 0)
        r = detached_find(path, err);
    if (r < 0)
        return r;
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, -errno, "fork");
    if (pid == 0)
        detached_exec(d, path);
    d->pid = pid;
    return 0;
}

/* Has it ended? An aiod that was quicker is waited for. */
static int detached_check(struct detached *d, struct err *err)
{
    char reason[DETACHED_REASON_BYTES + 1];
    int status = 0;
    pid_t ended = waitpid(d->pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && kill(d->pid, 0) == 0)) /* < 0: SIGCHLD is ignored here */
        return 0;
    d->pid = 0;
    if (detached_holder(d) != 0)
        return 0;
    detached_reason(d, reason);
    if (reason[0])
        return err_set(err, -ECHILD, "%s (%s)", reason, d->log);
    if (WIFSIGNALED(status))
        return err_set(err, -ECHILD, "aiod was killed by signal %d (%s)", WTERMSIG(status),
                       d->log);
    return err_set(err, -ECHILD, "aiod ended with exit status %d (%s)", WEXITSTATUS(status),
                   d->log);
}

/* ---- one after the other ---- */

int detached_begin(struct detached *d, struct err *err)
{
    int r = detached_state_dir(&d->state_dir, err);
    return r < 0 ? r : detached_make_dir(d->state_dir, err);
}

static int detached_open(const struct detached *d, const char *name, int flags)
{
    _cleanup_(defs_freep) char *path = NULL;
    if (asprintf(&path, "%s/%s", d->state_dir, name) < 0)
        return -ENOMEM;
    int fd = open(path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

pid_t detached_holder(const struct detached *d)
{
    char text[32] = "";
    _cleanup_(defs_closep) int fd = detached_open(d, "lock", 0);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    long pid = pread(fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 0 ? (pid_t)pid : -1;
}

static int detached_lock(struct detached *d, struct err *err)
{
    int fd = detached_open(d, "start.lock", O_CREAT);
    if (fd < 0)
        return err_errno(err, fd, "its state directory %s", d->state_dir);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        (void)close(fd);
    else
        d->lock_fd = fd;
    return 0;
}

int detached_step(struct detached *d, struct err *err)
{
    if (d->lock_fd < 0)
        return detached_lock(d, err);
    if (d->pid != 0)
        return detached_check(d, err);
    return detached_holder(d) != 0 ? 0 : detached_spawn(d, err);
}

void detached_done(struct detached *d)
{
    defs_closep(&d->lock_fd);
    defs_closep(&d->log_fd);
    free(d->state_dir);
    free(d->log);
    *d = (struct detached)DETACHED_INIT;
}
