/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * groups - which process groups have somebody in them who lives.
 *
 * The kernel tells no other way while the leader is a zombie: it is a member like any other for
 * kill(2). So this reads /proc/PID/stat (proc(5)) of every process, some microseconds each. One
 * that /proc hides (hidepid=) is not seen.
 */
#include <sys/types.h>

typedef void groups_fn(void *ctx, pid_t group);

/* Calls fn with the group of each process that has not ended. 0, or a negative errno: /proc could
 * not be read (to its end). A process that is made meanwhile may be missed where pids begin
 * anew. */
int groups_read(groups_fn *fn, void *ctx);
