/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * reader - loop.add_reader / add_writer: a call when a descriptor is ready.
 *
 * For descriptors that libuv has no handle for (SOCK_SEQPACKET, pidfds). Heap-allocated
 * because libuv closes its handles a turn later; to its owner it is gone at once.
 */
#include "daemon/aio/loop.h"

struct aio_reader;

/* AIO_HANGUP alone: called when the other end is closed for good (POLLHUP of poll(2)). */
enum { AIO_READABLE = 1, AIO_WRITABLE = 2, AIO_HANGUP = 4 };

/* fn(ctx, events) is called from the loop while the descriptor is ready for what it waits for
 * (level-triggered; an error or a hang-up counts as readable). It may free the reader. The
 * descriptor is borrowed: close it after aio_reader_free, never before. 0 or a negative errno.
 */
int aio_reader_new(struct aio_reader **ret, struct aio_loop *, int fd, int events,
                   void (*fn)(void *ctx, int events), void *ctx);
/* What to wait for from now on. 0 or a negative errno. */
int aio_reader_set(struct aio_reader *, int events);
/* No call comes afterwards. NULL is a no-op; returns NULL. */
struct aio_reader *aio_reader_free(struct aio_reader *);
