/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * timeline - what happened to a task, in time order, and how long each state took.
 */
#include <msgpack.h>

#include "base/buf.h"
#include "client/view.h"

void timeline_render(struct buf *, const msgpack_object *task, const struct view *);
