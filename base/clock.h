/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * clock - the three clocks, in nanoseconds (clock_gettime(2)).
 */
#include <stdint.h>

uint64_t clock_awake(void); /* CLOCK_MONOTONIC: stands still while the machine is suspended */
uint64_t clock_boot(void);  /* CLOCK_BOOTTIME: counts suspended time too */
uint64_t clock_wall(void);  /* CLOCK_REALTIME: since 1970, jumps when somebody sets it */

uint64_t clock_from_seconds(double seconds); /* nanoseconds, rounded; 0 for negative ones */
