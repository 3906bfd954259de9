/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * sleep - asyncio.sleep, and the same until a point in time.
 */
#include "daemon/aio/co.h"

/* A coroutine object that returns (no value) after ns on the clock; 0 is one turn of the loop,
 * as asyncio.sleep(0). Counted from its first step. NULL without memory. */
struct aio_co *aio_sleep(enum aio_clock, uint64_t ns);
/* The same until when_ns on the clock; returns after one turn when that has passed. */
struct aio_co *aio_sleep_until(enum aio_clock, uint64_t when_ns);
