/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * pool - memory of tasks and frames, kept for the next one of its size.
 *
 * A loop makes and frees the same few sizes all the time, many at once; malloc(3) keeps seven of
 * each at hand, looks for the others at length, and calloc(3) for all of them. Each thread has its
 * own, as coroutines belong to one. Under AddressSanitizer every block is malloc's, so that a
 * use after free is seen.
 */
#include <stddef.h>

/* Zeroed; NULL without memory. */
void *aio_pool_take(size_t size);
/* size as it was taken; NULL is a no-op. */
void aio_pool_give(void *taken, size_t size);
/* Frees what this thread keeps at hand; aio_sched_done does it. */
void aio_pool_drain(void);
