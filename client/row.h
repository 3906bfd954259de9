/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * row - one task in the words of a table: what each of its cells says. Escaped, one line each.
 */
#include <msgpack.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "client/view.h"

void row_state(struct buf *, const msgpack_object *task); /* "DONE failed" */
void row_since(struct buf *, const msgpack_object *task,
               const struct view *); /* "1m12s", "9m ago" */
void row_awaits(struct buf *, const msgpack_object *task,
                const struct view *);                     /* or its result */
void row_title(struct buf *, const msgpack_object *task); /* "name: title" */
void row_user(struct buf *, const msgpack_object *task, const struct view *);
/* The SGR parameters for its state; "" for none. Static. */
const char *row_style(const msgpack_object *task);
/* "next", "2nd", "11th", "21st". */
void row_position(struct buf *, uint64_t position);
/* Its result says something: it is neither nil nor an exec's exit status 0. */
bool row_has_result(const msgpack_object *task);
/* What a task awaits, without its result: for the detail view as well. */
void row_waiting(struct buf *, const msgpack_object *task, const struct view *);
