/* SPDX-License-Identifier: MIT */
#include "daemon/control/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/limits.h"

/* getsockopt says how much it needs when the buffer is too small (ERANGE). */
static int peer_read_groups(int fd, struct value **ret, struct err *err)
{
    socklen_t size = 64 * sizeof(uint32_t);
    for (;;) {
        _cleanup_(defs_freep) void *groups = malloc(size);
        if (!groups)
            return err_set(err, -ENOMEM, "out of memory");
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
            *ret = size ? value_new(groups, size) : NULL;
            return size && !*ret ? err_set(err, -ENOMEM, "out of memory") : 0;
        }
        if (errno != ERANGE || size > LIMIT_GROUPS * sizeof(uint32_t))
            return err_errno(err, -errno, "SO_PEERGROUPS");
    }
}

int peer_new(struct peer **ret, int fd, struct err *err)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
        return err_errno(err, -errno, "SO_PEERCRED");
    if (cred.uid == UINT32_MAX || cred.gid == UINT32_MAX)
        return err_set(err, -EACCES, "a peer without a user");
    struct peer *peer = calloc(1, sizeof(*peer));
    if (!peer)
        return err_set(err, -ENOMEM, "out of memory");
    *peer =
        (struct peer){.refs = 1, .uid = cred.uid, .gid = cred.gid, .pid = (uint32_t)cred.pid};
    int r = peer_read_groups(fd, &peer->groups, err);
    if (r < 0) {
        peer_unref(peer);
        return r;
    }
    *ret = peer;
    return 0;
}

struct peer *peer_ref(struct peer *peer)
{
    peer->refs++;
    return peer;
}

struct peer *peer_unref(struct peer *peer)
{
    if (peer && --peer->refs == 0) {
        value_unref(peer->groups);
        free(peer);
    }
    return NULL;
}

bool peer_may_see(const struct peer *peer, uint32_t uid, uint32_t owner_uid)
{
    return peer->uid == uid || peer->uid == 0 || peer->uid == owner_uid;
}
