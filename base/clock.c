/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

#include "base/defs.h"

static uint64_t clock_read(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_awake(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

uint64_t clock_boot(void)
{
    return clock_read(CLOCK_BOOTTIME);
}

uint64_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

uint64_t clock_from_seconds(double seconds)
{
    return seconds > 0 ? (uint64_t)(seconds * (double)NSEC_PER_SEC + 0.5) : 0;
}
