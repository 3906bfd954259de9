/* SPDX-License-Identifier: MIT */
/*
 * Happy path: try → nobody there → start one → try again (10 ms, then twice as long each time,
 * up to a second) → connected → LIST → live. Lost: the same from the beginning.
 */
#include "daemon/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/service/notify.h"

enum { LINK_DELAY_MIN_MS = 10, LINK_DELAY_MAX_MS = 1000 };
enum { LINK_START_MS = 10000 }; /* between spawners that are started and do not answer */

static const char link_spawner_name[] = "aiod-spawner";

/* Beside our own executable, in the build tree beside its folder, else where it is installed.
 */
static int link_find_executable(const struct link *link, char *path, size_t size)
{
    static const char *const places[] = {"", "spawner/", "../libexec/aiod/"};
    char own[4096];
    if (link->executable) {
        snprintf(path, size, "%s", link->executable);
        return 0;
    }
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own));
    if (n <= 0 || n == sizeof(own))
        return -ENOENT;
    while (n > 0 && own[n - 1] != '/')
        n--;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        snprintf(path, size, "%.*s%s%s", (int)n, own, places[i], link_spawner_name);
        if (access(path, X_OK) == 0)
            return 0;
    }
    return -ENOENT;
}

/* What is meant for aiod alone does not reach the spawner. */
static char **link_environment(void)
{
    static const char *const ours[] = {"NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_"};
    size_t n = 0, len = 0;
    while (environ[n])
        n++;
    char **env = calloc(n + 1, sizeof(*env));
    for (size_t i = 0; env && i < n; i++) {
        bool keep = true;
        for (size_t k = 0; k < ARRAY_SIZE(ours); k++)
            keep = keep && strncmp(environ[i], ours[k], strlen(ours[k])) != 0;
        if (keep)
            env[len++] = environ[i];
    }
    return env;
}

static void link_spawner_closed(uv_handle_t *handle)
{
    free(handle);
}

static void link_close_child(struct link *link)
{
    uv_process_t *child = TAKE_PTR(link->child);
    if (child)
        uv_close((uv_handle_t *)child, link_spawner_closed);
}

static void link_spawner_exited(uv_process_t *process, int64_t status, int signo)
{
    (void)status;
    (void)signo;
    link_close_child(process->data);
}

/* Commands get the soft limit that aiod was started with, not the one it raised for itself. Returns the one
 * before. */
static rlim_t link_set_nofile(rlim_t soft)
{
    struct rlimit limit;
    if (soft == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = soft;
    setrlimit(RLIMIT_NOFILE, &limit);
    return before;
}

/* Detached: a session of its own, nothing of ours but a log file. */
static int link_spawn(struct link *link, const char *executable, int log_fd)
{
    const char *args[] = {link_spawner_name, "--socket",         link->socket, "--state-dir",
                          link->state_dir,   "--exit-when-idle", NULL};
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE},
                                     {.flags = UV_IGNORE},
                                     {.flags = UV_INHERIT_FD, .data.fd = log_fd}};
    _cleanup_(defs_freep) char **env = link_environment();
    uv_process_t *process = calloc(1, sizeof(*process));
    if (!process || !env) {
        free(process);
        return -ENOMEM;
    }
    uv_process_options_t options = {
        .file = executable,
        .args = (char **)args,
        .env = env,
        .cwd = "/",
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
        .exit_cb = link_spawner_exited,
    };
    link_close_child(link);
    link->child = process;
    process->data = link;
    rlim_t raised = link_set_nofile(link->nofile);
    int r = uv_spawn(&link->loop->uv, process, &options);
    link_set_nofile(raised);
    if (r < 0)
        link_close_child(link);
    return r;
}

/* Where a spawner's own words go; its socket and its lock will be beside it. */
static int link_open_log(const struct link *link, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/spawner.log", link->state_dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == ENOENT)
        return err_set(
            err, -ENOENT,
            "the state directory %s is not there any more: put it back, or stop aiod",
            link->state_dir);
    return fd < 0 ? err_errno(err, -errno, "%s", path) : fd;
}

static int link_start_spawner(struct link *link, struct err *err)
{
    char executable[4096];
    if (link_find_executable(link, executable, sizeof(executable)) < 0)
        return err_set(err, -ENOENT, "%s is neither beside aiod nor in libexec/aiod",
                       link_spawner_name);
    _cleanup_(defs_closep) int log_fd = link_open_log(link, err);
    if (log_fd < 0)
        return log_fd;
    int r = link_spawn(link, executable, log_fd);
    if (r < 0)
        return err_errno(err, r, "cannot start %s", executable);
    log_info(link->log, "started %s", executable);
    return 0;
}

static void link_try(struct link *link);

static void link_retry(uv_timer_t *timer)
{
    link_try(timer->data);
}

static void link_try_later(struct link *link)
{
    if (link->closing)
        return;
    uv_timer_start(&link->retry, link_retry, link->delay_ms, 0);
    link->delay_ms *= 2;
    if (link->delay_ms > LINK_DELAY_MAX_MS)
        link->delay_ms = LINK_DELAY_MAX_MS;
}

/* Once for each time that the spawner goes. */
static void link_tell(struct link *link, int level, const struct err *err)
{
    if (!link->told)
        log_line(link->log, level,
                 "waiting for the spawner: %s; until it answers no command starts", err->msg);
    link->told = true;
}

static void link_try(struct link *link)
{
    struct err err = ERR_INIT;
    int r = processes_connect(link->processes, link->socket, &err);
    if (r == 0)
        return;
    uint64_t now = clock_awake();
    bool nobody = r == -ENOENT || r == -ECONNREFUSED;
    if (nobody && !link->supervised && !link->child && now >= link->start_at) {
        link->start_at = now + LINK_START_MS * NSEC_PER_MSEC;
        if (link_start_spawner(link, &err) < 0)
            link_tell(link, LOG_ERR, &err);
    } else if (link->delay_ms == LINK_DELAY_MAX_MS) {
        link_tell(link, LOG_WARNING, &err);
    }
    link_try_later(link);
}

static void link_live(void *ctx)
{
    struct link *link = ctx;
    log_info(link->log, "the spawner (pid %u) answers", link->processes->spawner_pid);
    link->delay_ms = LINK_DELAY_MIN_MS;
    link->told = false;
    link->was_live = true;
    link->start_at = 0;
    link->live(link->ctx);
}

static void link_lost(void *ctx, const struct err *err)
{
    struct link *link = ctx;
    if (link->closing)
        return;
    if (link->was_live)
        log_warning(link->log, "lost the %s", err->msg);
    else
        link_tell(link, LOG_WARNING, err); /* it was there, and refused */
    link->was_live = false;
    link_try_later(link);
}

void link_init(struct link *link)
{
    uv_timer_init(&link->loop->uv, &link->retry);
    link->retry.data = link;
    link->delay_ms = LINK_DELAY_MIN_MS;
    link->supervised = notify_supervised();
    link->processes->live = link_live;
    link->processes->lost = link_lost;
    link->processes->ctx = link;
}

void link_start(struct link *link)
{
    link_try(link);
}

void link_close(struct link *link)
{
    link->closing = true;
    uv_close((uv_handle_t *)&link->retry, NULL);
    link_close_child(link);
    processes_done(link->processes);
}
