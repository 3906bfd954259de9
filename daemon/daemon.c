/* SPDX-License-Identifier: MIT */
/*
 * The order of new: configuration → state directory and store → loop → tasks and groups →
 * functions → the live tasks → control socket → signals, systemd, the link to the spawner.
 * READY=1 once the socket listens.
 *
 * The order of a stop: STOPPING=1 → the control socket closes, lives are taken down (nothing is
 * recorded) → when both are gone the loop ends → the store commits what is queued. Commands are
 * left alone.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/aio/loop.h"
#include "daemon/control/control.h"
#include "daemon/control_socket.h"
#include "daemon/functions/processes.h"
#include "daemon/functions/register.h"
#include "daemon/link.h"
#include "daemon/pulse.h"
#include "daemon/service/config.h"
#include "daemon/service/extend.h"
#include "daemon/service/notify.h"
#include "daemon/service/options.h"
#include "daemon/service/reload.h"
#include "daemon/service/signals.h"
#include "daemon/service/socket.h"
#include "daemon/tasks/tasks.h"

/* The watchdog's intervals that a silent disk may last: it can only be made worse by a restart. */
enum { DAEMON_PATIENCE = 3 };

struct daemon {
    const struct options *options; /* borrowed */
    struct logger *log;            /* borrowed */
    struct config config;
    struct aio_loop loop;
    struct store *store;
    struct tasks tasks;
    struct processes processes;
    struct control control;
    struct control_socket socket;
    struct link link;
    struct signals signals;
    struct reload reload;
    struct pulse pulse;
    struct notify notify;
    uv_timer_t patience; /* bounds the stop */
    int exit_status;
    bool ran; /* it was told that it starts: its end is told too */
    bool stopping;
    bool control_closed;
};

/* ---- stopping ---- */

static void daemon_maybe_stopped(struct daemon *d)
{
    if (!d->stopping || !d->control_closed || !tasks_idle(&d->tasks))
        return;
    aio_loop_stop(&d->loop);
}

static void daemon_control_closed(void *ctx)
{
    struct daemon *d = ctx;
    d->control_closed = true;
    daemon_maybe_stopped(d);
}

static void daemon_out_of_patience(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    control_abort(&d->control);
}

static void daemon_stop(struct daemon *d)
{
    if (d->stopping)
        return;
    d->stopping = true;
    notify_stopping(&d->notify);
    uv_timer_start(&d->patience, daemon_out_of_patience, LIMIT_STOP_GRACE_MS, 0);
    control_socket_close(&d->socket);
    processes_stop(&d->processes);
    tasks_stop(&d->tasks);
    control_stop(&d->control);
    daemon_maybe_stopped(d);
}

static void daemon_signal(void *ctx, int signo)
{
    struct daemon *d = ctx;
    log_info(d->log, "%s: stopping; running commands go on", strsignal(signo));
    daemon_stop(d);
}

/* The disk failed: nothing more can be promised, and a second fsync would lie. */
static void daemon_broken(void *ctx, int err)
{
    struct daemon *d = ctx;
    if (!d->stopping)
        log_error(d->log, "the store failed: %s; stopping", strerror(-err));
    notify_errno(&d->notify, -err);
    d->exit_status = DAEMON_IOERR;
    daemon_stop(d);
}

/* ---- what others tell ---- */

static void daemon_tasks_changed(void *ctx)
{
    struct daemon *d = ctx;
    notify_changed(&d->notify);
    daemon_maybe_stopped(d);
}

static void daemon_count(void *ctx, struct notify_counts *ret)
{
    const struct daemon *d = ctx;
    list_for_each (it, &d->tasks.users) {
        const struct user *user = container_of(it, struct user, node);
        ret->pending += user->live[TASK_PENDING];
        ret->running += user->live[TASK_RUNNING];
        ret->suspended += user->live[TASK_SUSPENDED];
        ret->done += user->finished.ok + user->finished.failed + user->finished.cancelled;
    }
}

static void daemon_spawner_live(void *ctx)
{
    struct daemon *d = ctx;
    tasks_spawner_live(&d->tasks);
}

/* Commands run as the user who submits them, never as the one that owns the store for others.
 */
static int daemon_may_run(void *ctx, uint32_t uid, struct err *err)
{
    struct daemon *d = ctx;
    uint32_t own = geteuid();
    const struct processes *ps = &d->processes;
    bool root = ps->client.live ? ps->spawner_uid == 0 : d->options->system;
    if (!root && uid != own)
        return err_set(err, -EACCES,
                       "this instance runs commands of uid %u alone, and you are uid %u", own,
                       uid);
    if (root && uid == own && own != 0)
        return err_set(err, -EACCES, "uid %u owns the tasks of all users and runs no commands",
                       own);
    return 0;
}

static void daemon_health(void *ctx, struct buf *b, struct pack_map_place *map)
{
    struct daemon *d = ctx;
    pack_key(b, map, "store");
    pack_map(b, 3);
    pack_text(b, "commits");
    pack_uint(b, store_commits(d->store));
    pack_text(b, "dir");
    pack_text(b, d->options->state_dir);
    pack_text(b, "last_id");
    pack_uint(b, d->tasks.last_id);
    pack_key(b, map, "spawner");
    pack_map(b, 4);
    pack_text(b, "connected");
    pack_bool(b, d->processes.client.live);
    pack_text(b, "pid");
    pack_uint(b, d->processes.spawner_pid);
    pack_text(b, "socket");
    pack_text(b, d->options->spawner_socket);
    pack_text(b, "processes");
    pack_uint(b, d->processes.count);
}

/* ---- configuration ---- */

static int daemon_apply(struct daemon *d, const struct config *config, struct err *err)
{
    d->log->level = d->options->debug ? 7 : config->log_level;
    d->tasks.queued_per_uid = config->queued_per_uid;
    d->tasks.grace_ms = config->grace_ms;
    d->tasks.groups.running_per_uid = config->running_per_uid;
    groups_file_begin(&d->tasks.groups);
    list_for_each (it, &config->groups) {
        const struct config_group *group = container_of(it, struct config_group, node);
        if (!groups_set(&d->tasks.groups, group->name, group->slots))
            return err_set(err, -ENOMEM, "out of memory");
    }
    groups_sweep(&d->tasks.groups);
    return 0;
}

static void daemon_reload(void *ctx)
{
    struct daemon *d = ctx;
    notify_reloading(&d->notify);
    reload_start(&d->reload);
}

static void daemon_tell_reloaded(struct daemon *d, const struct config *config)
{
    if (config->found)
        log_info(d->log, "read %s again", d->options->config);
    else
        log_info(d->log, "there is no %s: the defaults are in force", d->options->config);
    if (config->socket_mode != d->config.socket_mode ||
        config->socket_group != d->config.socket_group)
        log_notice(d->log, "socket-mode and socket-group stay as they were: they are read at "
                           "the start");
}

static void daemon_reloaded(void *ctx, int r, const struct config *config,
                            const struct err *read_err)
{
    struct daemon *d = ctx;
    struct err err = *read_err;
    if (d->stopping)
        return;
    if (r == 0)
        r = daemon_apply(d, config, &err);
    if (r < 0)
        log_error(d->log, "the configuration stays as it was: %s", err.msg);
    else
        daemon_tell_reloaded(d, config);
    notify_ready(&d->notify);
}

static void daemon_ignore(void *ctx)
{
    (void)ctx;
}

/* ---- new ---- */

static void daemon_store_post(void *ctx, struct posted *posted)
{
    struct daemon *d = ctx;
    aio_loop_post(&d->loop, posted);
}

static int daemon_open_store(struct daemon *d, struct err *err)
{
    const struct options *o = d->options;
    int r = socket_make_dir(o->state_dir, 0700, err);
    if (r < 0)
        return err_prefix(err, "the state directory");
    const struct store_options options = {
        .dir = o->state_dir, .post = daemon_store_post, .post_ctx = d};
    return store_open(&d->store, &options, err);
}

static int daemon_open_tasks(struct daemon *d, struct err *err)
{
    const struct tasks_options options = {
        .loop = &d->loop,
        .store = d->store,
        .state_dir = d->options->state_dir,
        .owner_uid = geteuid(),
    };
    processes_init(&d->processes, &d->loop, store_instance(d->store));
    int r = tasks_init(&d->tasks, &options, err);
    if (r < 0)
        return r;
    d->tasks.broken = daemon_broken;
    d->tasks.broken_ctx = d;
    register_functions(&d->tasks.functions, &d->processes);
    r = daemon_apply(d, &d->config, err);
    return r < 0 ? r : tasks_load(&d->tasks, err);
}

static int daemon_open_control(struct daemon *d, struct err *err)
{
    d->control = (struct control){
        .loop = &d->loop,
        .tasks = &d->tasks,
        .log = d->log,
        .owner_uid = geteuid(),
        .system = d->options->system,
        .started_ns = clock_awake(),
        .instance = store_instance(d->store),
        .may_run = daemon_may_run,
        .health = daemon_health,
        .closed = daemon_control_closed,
        .ctx = d,
    };
    control_init(&d->control);
    d->socket = (struct control_socket){
        .control = &d->control, .options = d->options, .config = &d->config, .log = d->log};
    return control_socket_open(&d->socket, err);
}

static bool daemon_healthy(void *ctx)
{
    struct daemon *d = ctx;
    return d->stopping || pulse_beats(&d->pulse);
}

static void daemon_open_notify(struct daemon *d)
{
    d->notify.count = daemon_count;
    d->notify.healthy = daemon_healthy;
    d->notify.ctx = d;
    notify_init(&d->notify, &d->loop);
    d->pulse = (struct pulse){.store = d->store,
                              .log = d->log,
                              .patience_ns = DAEMON_PATIENCE * d->notify.watchdog_ns};
}

static int daemon_open_service(struct daemon *d, struct err *err)
{
    daemon_open_notify(d);
    uv_timer_init(&d->loop.uv, &d->patience);
    d->patience.data = d;
    d->signals.stop = daemon_signal;
    d->signals.reload = daemon_reload;
    d->signals.ctx = d;
    d->reload = (struct reload){.loop = &d->loop,
                                .path = d->options->config,
                                .must_exist = d->options->config_given,
                                .done = daemon_reloaded,
                                .ctx = d};
    int r = signals_init(&d->signals, &d->loop);
    if (r < 0)
        return err_errno(err, r, "signals");
    d->link.loop = &d->loop;
    d->link.processes = &d->processes;
    d->link.log = d->log;
    d->link.socket = d->options->spawner_socket;
    d->link.executable = d->options->spawner;
    d->link.state_dir = d->options->state_dir;
    d->link.live = daemon_spawner_live;
    d->link.ctx = d;
    link_init(&d->link);
    return 0;
}

/* Each connection and each command that starts needs descriptors. */
static void daemon_raise_nofile(struct daemon *d)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    d->link.nofile = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int daemon_open(struct daemon *d, struct err *err)
{
    const struct options *o = d->options;
    int r = config_read(&d->config, o->config, o->config_given, err);
    if (r < 0)
        return r;
    struct extend extend;
    extend_begin(&extend); /* a database that has to be checked may be large */
    r = daemon_open_store(d, err);
    if (r == 0)
        r = daemon_open_tasks(d, err);
    extend_end(&extend);
    if (r == 0)
        r = daemon_open_control(d, err);
    if (r == 0)
        r = daemon_open_service(d, err);
    return r;
}

int daemon_new(struct daemon **ret, const struct options *options, struct logger *log,
               struct err *err)
{
    struct daemon *d = calloc(1, sizeof(*d));
    if (!d)
        return err_set(err, -ENOMEM, "out of memory");
    d->options = options;
    d->log = log;
    config_init(&d->config);
    daemon_raise_nofile(d);
    int r = aio_loop_init(&d->loop);
    if (r < 0) {
        err_errno(err, r, "the event loop");
        free(d);
        return r;
    }
    r = daemon_open(d, err);
    if (r < 0) {
        daemon_free(d);
        return r;
    }
    *ret = d;
    return 0;
}

/* ---- run, free ---- */

int daemon_run(struct daemon *d)
{
    d->tasks.changed = daemon_tasks_changed;
    d->tasks.changed_ctx = d;
    daemon_tasks_changed(d);
    link_start(&d->link);
    notify_ready(&d->notify);
    log_info(d->log, "serving %s, %zu live tasks (aiod %s, state in %s)",
             d->control.socket_path, d->tasks.table.live, AIOD_VERSION, d->options->state_dir);
    d->ran = true;
    aio_loop_run(&d->loop);
    return d->exit_status;
}

/* One turn of the loop that does not wait: what has been posted is run. */
static void daemon_turn(struct daemon *d)
{
    aio_loop_stop(&d->loop);
    aio_loop_run(&d->loop);
}

/* Also for one that was opened in part: lives that were begun are let go first. */
struct daemon *daemon_free(struct daemon *d)
{
    if (!d)
        return NULL;
    control_socket_close(&d->socket);
    reload_stop(&d->reload);
    d->pulse.store = NULL;
    if (d->control.loop && !d->control.stopping) {
        d->control.closed = daemon_ignore;
        control_abort(&d->control);
    }
    if (d->tasks.loop) {
        tasks_stop(&d->tasks);
        while (!tasks_idle(&d->tasks))
            daemon_turn(d);
    }
    store_close(d->store);
    do /* what the store has posted, and the calls that it wakes */
        daemon_turn(d);
    while (d->loop.sched.ready_count > 0);
    if (d->link.loop) {
        link_close(&d->link);
        signals_close(&d->signals);
        notify_close(&d->notify);
        uv_close((uv_handle_t *)&d->patience, NULL);
    }
    int r = aio_loop_close(&d->loop);
    if (r < 0)
        log_warning(d->log, "the event loop: %s", strerror(-r));
    if (d->control.loop)
        control_done(&d->control);
    tasks_done(&d->tasks);
    config_done(&d->config);
    control_socket_done(&d->socket);
    if (d->ran)
        log_info(d->log, "stopped");
    free(d);
    return NULL;
}
