/* SPDX-License-Identifier: MIT */
/*
 * instance - paths to try, a connection to one, and what to say when there is none.
 */
#include "client/instance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/accounts.h"
#include "base/defs.h"
#include "base/unix_address.h"

void instances_done(struct instances *in)
{
    for (size_t i = 0; i < in->n; i++)
        free(in->path[i]);
    *in = (struct instances){.n = 0};
}

char *instance_user_socket(const struct instance_query *q)
{
    char *path = NULL;
    int n;
    if (q->runtime_dir && q->runtime_dir[0] == '/')
        n = asprintf(&path, "%s/aiod/control.sock", q->runtime_dir);
    else
        n = asprintf(&path, "/run/user/%u/aiod/control.sock", (unsigned)q->uid);
    return n < 0 ? NULL : path;
}

static int instance_add(struct instances *in, enum instance_kind kind, char *path_taken,
                        struct err *err)
{
    if (!path_taken)
        return err_set(err, -ENOMEM, "out of memory");
    if (kind == INSTANCE_USER)
        in->own = in->n;
    in->kind[in->n] = kind;
    in->path[in->n++] = path_taken;
    return 0;
}

/* Nobody said which one. The user's own is among them in any case: it may be started. */
static int instance_add_defaults(const struct instance_query *q, struct instances *in,
                                 struct err *err)
{
    char *own = instance_user_socket(q);
    bool own_first = own && access(own, F_OK) == 0;
    int r = 0;
    if (own_first)
        r = instance_add(in, INSTANCE_USER, own, err);
    if (r == 0 && access(q->system_socket, F_OK) == 0)
        r = instance_add(in, INSTANCE_SYSTEM, strdup(q->system_socket), err);
    if (r == 0 && !own_first)
        r = instance_add(in, INSTANCE_USER, TAKE_PTR(own), err);
    else if (!own_first)
        free(own);
    return r;
}

int instance_choose(const struct instance_query *q, struct instances *ret, struct err *err)
{
    bool env = q->env_socket && q->env_socket[0];
    if (q->user + q->system + (q->socket != NULL) > 1)
        return err_set(err, -EINVAL, "--socket, --user and --system exclude each other");
    *ret = (struct instances){
        .chosen = q->socket || q->user || q->system || env,
        .startable = !q->socket && !q->system && !env,
    };
    if (q->socket)
        return instance_add(ret, INSTANCE_GIVEN, strdup(q->socket), err);
    if (q->user)
        return instance_add(ret, INSTANCE_USER, instance_user_socket(q), err);
    if (q->system)
        return instance_add(ret, INSTANCE_SYSTEM, strdup(q->system_socket), err);
    if (env)
        return instance_add(ret, INSTANCE_GIVEN, strdup(q->env_socket), err);
    return instance_add_defaults(q, ret, err);
}

bool instance_absent(int r)
{
    return r == -ENOENT || r == -ECONNREFUSED || r == -ENOTDIR;
}

/* The group that the system's socket is for; it is named aiod unless somebody chose otherwise.
 */
static const char *instance_group(const char *path)
{
    struct stat st;
    const char *group = NULL;
    if (stat(path, &st) == 0 && st.st_gid != 0)
        group = accounts_group(st.st_gid);
    return group ? group : "aiod";
}

static int instance_advise_denied(const struct instances *in, size_t i, int r, struct err *err)
{
    const char *user = accounts_self();
    const char *group = instance_group(in->path[i]);
    return err_set(
        err, r,
        "the system's event loop at %s is for members of group %s (ask root: adduser "
        "%s %s, then log in again)%s",
        in->path[i], group, user ? user : "NAME", group,
        in->chosen ? "" : "; `aioctl submit` starts one of your own");
}

int instance_advise(const struct instances *in, size_t i, int r, struct err *err)
{
    const char *path = in->path[i];
    const char *slash = strrchr(path, '/');
    size_t dir = slash && slash > path ? (size_t)(slash - path) : 1;
    if (in->kind[i] == INSTANCE_SYSTEM && r == -EACCES)
        return instance_advise_denied(in, i, r, err);
    if (in->kind[i] == INSTANCE_USER && r == -EACCES)
        return err_set(err, r,
                       "%s is somebody else's: unset XDG_RUNTIME_DIR, or set it to a directory "
                       "of yours",
                       path);
    if (!instance_absent(r))
        return r;
    switch (in->kind[i]) {
    case INSTANCE_SYSTEM:
        return err_set(err, r,
                       "no running event loop at %s: start it with `systemctl start "
                       "aiod.socket`",
                       path);
    case INSTANCE_USER:
        return err_set(err, r, "no running event loop at %s: `aioctl%s submit` starts it", path,
                       in->chosen ? " --user" : "");
    default:
        return err_set(err, r,
                       "no running event loop at %s: start it with `aiod --runtime-dir %.*s`",
                       path, (int)dir, slash ? path : ".");
    }
}

int instance_connect(const char *path, struct err *err)
{
    struct unix_address address;
    _cleanup_(defs_closep) int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, -errno, "a socket cannot be made");
    int r = unix_address_init(&address, path, err);
    if (r == 0) {
        if (connect(fd, (const struct sockaddr *)&address.un, address.len) < 0)
            r = err_errno(err, -errno, "no connection to the event loop at %s", path);
        unix_address_done(&address);
    }
    if (instance_absent(r))
        return err_set(err, r, "no running event loop at %s", path);
    return r < 0 ? r : TAKE_FD(fd);
}
