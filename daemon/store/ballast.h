/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * ballast - space kept back on the disk for recording what finishes when it is full.
 *
 * Low water is max(ballast, min(5 % of the file system, 256 MiB)): below it new submits are
 * refused. While the ballast is out it is low water plus the ballast, at which the ballast is
 * taken again.
 */
#include <stdbool.h>
#include <stdint.h>

#define BALLAST_CHECK_MS                                                                       \
    1000u /* statvfs at most so often, and only when something is submitted */
#define BALLAST_LOW_BYTES_MAX                                                                  \
    (UINT64_C(256) * 1024 * 1024) /* low water of a large file system */
#define BALLAST_LOW_SHARE 20u     /* low water of a small one: 1/20 of it */
#define BALLAST_SHARE     16u     /* the ballast is at most 1/16 of the file system */

struct ballast {
    int dir_fd;          /* borrowed; where the file `ballast` is */
    uint64_t want;       /* bytes; 0: none, the file system can't keep space back */
    uint64_t low;        /* bytes */
    bool held;           /* the file is there */
    bool short_of_space; /* as of the last check */
    uint64_t next_check; /* clock_awake; 0: at once */
};

/* Takes the ballast if there is room for it. Never fails: a start on a full disk must succeed.
 */
void ballast_init(struct ballast *, int dir_fd, uint64_t want);
/* True when submits are to be refused. Asks the file system once in BALLAST_CHECK_MS at most,
 * and takes the ballast again when there is room. */
bool ballast_refuses(struct ballast *, uint64_t now);
/* Gives the space away; false if there was none to give. */
bool ballast_release(struct ballast *);
