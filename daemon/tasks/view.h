/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * view - a task as the protocol shows it (proto/PROTOCOL.md, "A task").
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/value.h"
#include "daemon/store/store.h"
#include "daemon/tasks/record.h"
#include "proto/pack.h"

/* The map of a live task, out of its record. */
void view_live(struct buf *, struct task *);
/* The map of a finished task, out of its row. */
void view_finished(struct buf *, const struct store_task *row);
/* The map in detail: the row with args (from STORE_GET), and the record where the task is live
 * (else NULL). env: with the environment's values. The caller adds nothing behind it; `more`
 * (may be NULL) packs `n` further keys and values. */
void view_detail(struct buf *, const struct store_task *row, struct task *live, bool env,
                 void (*more)(struct buf *, struct pack_map_place *, void *ctx), void *ctx);

struct group;
/* A group: {name, slots, held, waiting, paused, from}, and `removed` where it is gone. */
void view_group(struct buf *, const struct group *, bool gone);

/* An error as a failed task shows it: {type, message}, plus {exit} or {signal} where >= 0. NULL
 * without memory. */
struct value *view_error(const char *type, const char *message, int exit, int signal);
