/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * detail - one task as people read it: a line of what it is, then rows, each only when it says
 * something.
 */
#include <msgpack.h>

#include "base/buf.h"
#include "client/view.h"

/* task: the result of the method `task`. */
void detail_render(struct buf *, const msgpack_object *task, const struct view *);
