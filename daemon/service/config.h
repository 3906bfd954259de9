/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * config - the configuration file (INI): read whole, or refused whole with line and reason.
 *
 * Everything in it takes effect again at SIGHUP, but for what says "at start".
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/list.h"

struct config_group {
    struct list node;
    char *name;     /* owned */
    uint32_t slots; /* 1 to LIMIT_GROUP_SLOTS */
};

struct config {
    bool found;               /* the file is there */
    mode_t socket_mode;       /* [control] socket-mode; at start */
    gid_t socket_group;       /* [control] socket-group; (gid_t)-1: as it is; at start */
    uint32_t queued_per_uid;  /* [limits] queued */
    uint32_t running_per_uid; /* [limits] running; 0: any number */
    uint32_t grace_ms;        /* [commands] grace */
    int log_level;            /* [log] level: syslog(3) */
    struct list groups;       /* of config_group.node: [group NAME] slots */
};

void config_init(struct config *); /* the defaults */
void config_done(struct config *);
/* Reads the file into ret, which holds the defaults (config_init); it may block, and be called
 * from any thread. A file that is not there is
 * an error only where must_exist. 0, or a negative errno with "FILE:LINE: reason": ret is then
 * to be thrown away. */
int config_read(struct config *ret, const char *path, bool must_exist, struct err *);
