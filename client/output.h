/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * output - writing to stdout and stderr, whatever they are.
 */
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Writes all of it. 0, -EPIPE when nobody reads any more (without a sentence: callers end
 * quietly), or another negative errno with one. */
int output_write(int fd, const void *bytes, size_t len, struct err *);
/* Writes a buf that did not fail, and empties it. Also -ENOMEM. */
int output_flush(int fd, struct buf *, struct err *);
