/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * peer - who is at the other end of a connection, as the kernel says (unix(7)).
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/value.h"

struct task;

/* Counted, because requests may outlive their connection. */
struct peer {
    uint32_t refs;
    uint32_t uid; /* SO_PEERCRED: at the time of connect(2) */
    uint32_t gid;
    uint32_t pid;         /* for people and logs; nothing is decided by it */
    struct value *groups; /* owned: SO_PEERGROUPS, uint32_t each; NULL: none */
};

/* 0 or a negative errno with a sentence; -EACCES for ids that mean nobody, (uint32_t)-1. */
int peer_new(struct peer **ret, int fd, struct err *);
struct peer *peer_ref(struct peer *);
struct peer *peer_unref(struct peer *); /* may be NULL; returns NULL */
/* May it see and touch tasks of that user? root and the owner of the instance may all. */
bool peer_may_see(const struct peer *, uint32_t uid, uint32_t owner_uid);
