/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * value - counted immutable bytes: arguments, results, details of errors.
 *
 * Nothing below proto/ looks into them (they are one msgpack object each); they
 * are stored and sent as they are. The count is not atomic: ref and unref only on
 * the loop thread; another thread may read the bytes while the loop keeps a reference.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/defs.h"

struct value {
    uint32_t refs;
    uint32_t len; /* bytes */
    uint8_t bytes[];
};

/* A copy of len bytes with one reference, owned by the caller; NULL without memory. */
struct value *value_new(const void *bytes, size_t len);
struct value *value_ref(struct value *v);   /* v may be NULL; returns v */
struct value *value_unref(struct value *v); /* v may be NULL; returns NULL */
DEFINE_CLEANUP(struct value, value_unref)
