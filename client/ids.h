/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * ids - the words that name tasks: `7`, `3-9`, `last`, `all`, a name. The daemon understands
 * them.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Packs the key "ids" and an array of the words. */
void ids_pack(struct buf *, char *const *words, size_t n);
/* Packs the key "id" and the word. */
void ids_pack_one(struct buf *, const char *word);
/* Whether a word can only mean one task: it is neither a range nor "all". */
bool ids_single(const char *word);
