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
 * wait. Where no event loop answers, the user's own is started. 0 or a negative errno with a
 * sentence. */
int submit_send(struct context *, const struct spec_options *, char **words, size_t n,
                bool split, uint32_t *ret_msgid, struct err *err);
/* Waits for the answer: the task's id, and the reply itself unless ret_reply is NULL. A
 * connection that breaks before it came leaves open whether there is such a task, and the
 * sentence says so. */
int submit_wait(struct context *, uint32_t msgid, uint64_t *ret_id, struct reply **ret_reply,
                struct err *err);
