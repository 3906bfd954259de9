/* SPDX-License-Identifier: MIT */
#include "daemon/aio/pool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_IS_OFF 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(POOL_IS_OFF)
#define POOL_IS_OFF 1
#endif
#ifndef POOL_IS_OFF
#define POOL_IS_OFF 0
#endif

enum {
    POOL_SIZE_MAX = 512, /* larger blocks are malloc's own */
    POOL_STEP = 16,      /* between classes, which are malloc's: 24, 40, 56, … bytes */
    POOL_CLASSES = POOL_SIZE_MAX / POOL_STEP + 1,
    POOL_KEPT_BYTES = 2 * 1024 * 1024, /* at hand in all; more goes back to malloc */
};

struct pool_block {
    struct pool_block *next;
};

static _Thread_local struct {
    struct pool_block *free[POOL_CLASSES];
    size_t kept; /* bytes */
} pool;

static bool pool_has(size_t size)
{
    return !POOL_IS_OFF && size >= sizeof(struct pool_block) && size <= POOL_SIZE_MAX;
}

static size_t pool_class(size_t size)
{
    return (size + POOL_STEP / 2 - 1) / POOL_STEP;
}

static size_t pool_bytes(size_t class)
{
    return class * POOL_STEP + POOL_STEP / 2;
}

void *aio_pool_take(size_t size)
{
    if (!pool_has(size))
        return calloc(1, size);
    size_t class = pool_class(size);
    struct pool_block *block = pool.free[class];
    if (!block) /* whoever takes it next may want all of its class */
        return calloc(1, pool_bytes(class));
    pool.free[class] = block->next;
    pool.kept -= pool_bytes(class);
    return memset(block, 0, size);
}

void aio_pool_give(void *taken, size_t size)
{
    struct pool_block *block = taken;
    if (!block || !pool_has(size) || pool.kept >= POOL_KEPT_BYTES) {
        free(block);
        return;
    }
    size_t class = pool_class(size);
    block->next = pool.free[class];
    pool.free[class] = block;
    pool.kept += pool_bytes(class);
}

void aio_pool_drain(void)
{
    for (size_t i = 0; i < POOL_CLASSES; i++) {
        struct pool_block *block;
        while ((block = pool.free[i])) {
            pool.free[i] = block->next;
            free(block);
        }
    }
    pool.kept = 0;
}
