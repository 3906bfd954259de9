/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * health - the daemon's own figures as people read them.
 */
#include <msgpack.h>

#include "base/buf.h"

/* health: the result of the method of that name. */
void health_render(struct buf *, const msgpack_object *health);
