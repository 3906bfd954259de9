/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (!path || !*path)
        return 0;
    size_t size = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || size >= sizeof(un.sun_path))
        return -EINVAL;
    memcpy(un.sun_path, path, size);
    if (path[0] == '@')
        un.sun_path[0] = '\0'; /* the abstract namespace */

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    ssize_t n = sendto(fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL,
                       (struct sockaddr *)&un, len);
    int r = n < 0 ? -errno : 0;
    close(fd);
    return r;
}
