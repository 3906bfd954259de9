/* SPDX-License-Identifier: MIT */
#include "daemon/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/control/listener.h"
#include "daemon/service/config.h"
#include "daemon/service/options.h"

static int control_socket_serve(void *ctx, int fd, struct err *err)
{
    struct control_socket *s = ctx;
    struct listener *listener;
    int r = listener_new(s->control, fd, &listener, err);
    if (r < 0)
        return r;
    if (s->own)
        listener_close(s->own);
    s->own = listener;
    return 0;
}

/* Others may come as far as the socket, if they may use it; they see no names. */
static mode_t control_socket_dir_mode(mode_t mode)
{
    return mode & 0077 ? 0711 : 0700;
}

static void control_socket_place(struct control_socket *s)
{
    const struct config *config = s->config;
    s->watch.loop = s->control->loop;
    s->watch.log = s->log;
    s->watch.serve = control_socket_serve;
    s->watch.ctx = s;
    s->watch.place = (struct socket_place){
        .path = s->path,
        .mode = config->socket_mode,
        .group = config->socket_group,
        .dir_mode = control_socket_dir_mode(config->socket_mode),
    };
}

/* May this process give a file to the group? */
static bool control_socket_in_group(gid_t gid)
{
    return gid == getegid() || group_member(gid) || geteuid() == 0;
}

/* One that has to be made in the place of systemd's is for whom that one was; where aiod is not
 * in its group, that group gets no more than everybody. */
static void control_socket_copy_mode(struct control_socket *s)
{
    struct socket_place *place = &s->watch.place;
    struct stat st;
    if (lstat(s->path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    place->mode = st.st_mode & 0777;
    place->group = st.st_gid;
    if (!control_socket_in_group(st.st_gid)) {
        place->mode = (place->mode & 0707) | (place->mode & 07) << 3;
        place->group = (gid_t)-1;
    }
    place->dir_mode = control_socket_dir_mode(place->mode);
}

/* Takes the descriptor over. */
static int control_socket_take(struct control_socket *s, int fd, struct err *err)
{
    struct listener *listener;
    int r = socket_path(fd, &s->path);
    if (r < 0 && r != -ENOENT) {
        close(fd);
        return err_set(err, r, "out of memory");
    }
    r = listener_new(s->control, fd, &listener, err);
    if (r < 0 || !s->path)
        return r; /* an abstract one has no file that could be removed */
    control_socket_place(s);
    control_socket_copy_mode(s);
    s->watch.systemd = true;
    socket_watch_start(&s->watch); /* which finds its file, or makes one */
    return 0;
}

static int control_socket_make(struct control_socket *s, struct err *err)
{
    if (asprintf(&s->path, "%s/control.sock", s->options->runtime_dir) < 0) {
        s->path = NULL;
        return err_set(err, -ENOMEM, "out of memory");
    }
    control_socket_place(s);
    int fd = socket_bind(&s->watch.place, &s->watch.file, err);
    if (fd == -ENOENT && !s->options->system)
        return err_set(err, fd, "%s cannot be made: set XDG_RUNTIME_DIR, or give --runtime-dir",
                       s->options->runtime_dir);
    int r = fd < 0 ? fd : control_socket_serve(s, fd, err);
    if (r == 0)
        socket_watch_start(&s->watch);
    return r;
}

int control_socket_open(struct control_socket *s, struct err *err)
{
    int fd = socket_from_systemd(err);
    int r = fd == -ENOENT ? control_socket_make(s, err)
            : fd < 0      ? fd
                          : control_socket_take(s, fd, err);
    s->control->socket_path = s->path ? s->path : "@control";
    return r < 0 ? err_prefix(err, "the control socket") : 0;
}

void control_socket_close(struct control_socket *s)
{
    socket_watch_close(&s->watch);
}

void control_socket_done(struct control_socket *s)
{
    free(s->path);
    s->path = NULL;
}
