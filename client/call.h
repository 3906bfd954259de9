/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * call - the arguments of --call FUNCTION ARGS…, bound to what the function declares.
 *
 * k=v is a keyword only where the function has a parameter k; everything else is positional.
 * The texts stay texts: the daemon reads them as the declared types.
 */
#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Whether the words can only be understood with the declarations at hand: one has a "=". */
bool call_needs_functions(char *const *words, size_t n);
/* Packs the arguments: an array, or with keywords a map by parameter name. functions is the
 * result of the method of that name, or NULL where it is not needed. 0, or -EINVAL with a
 * sentence. */
int call_pack(struct buf *, const char *function, char *const *words, size_t n,
              const msgpack_object *functions, struct err *);
/* The function of that name in the result of `functions`; NULL: there is none. */
const msgpack_object *call_find(const msgpack_object *functions, const char *name);
