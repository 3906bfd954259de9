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

/* How far the clock may be trusted to tell what the file would. */
enum ticks_trust { TICKS_UNTRIED, TICKS_BY_CLOCK, TICKS_BY_FILE };

/* The same of a process that was created between two readings of clock_boot, mostly without
 * reading the file: the field is the kernel's own reading of that clock, cut off to ticks. The
 * file is read where a tick ended between the two, and once to see that the kernel does it so. */
uint64_t ticks_of_new(enum ticks_trust *trust, pid_t pid, uint64_t before, uint64_t after);
