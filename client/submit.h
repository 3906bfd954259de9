/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * submit - a task made of options and words: what the verbs submit and run share.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/context.h"
#include "client/spec.h"

/* Checks, packs and sends `submit` (asking for the functions first where needed), and does not
 * wait. 0 or a negative errno with a sentence. */
int submit_send(struct context *, const struct spec_options *, char **words, size_t n,
                bool split, uint32_t *ret_msgid, struct err *);
