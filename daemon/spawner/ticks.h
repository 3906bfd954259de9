/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * ticks - when a process started: what tells it from a later one with the same pid.
 *
 * Both ends read it here, because they compare it: the spawner says it in STARTED, aiod checks it
 * before it believes a pid of a spawner that has died.
 */
#include <stdint.h>
#include <sys/types.h>

/* Field 22 of /proc/PID/stat (proc(5)): clock ticks since boot; 0 if it cannot be read. */
uint64_t ticks_of(pid_t pid);
