/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * inherited - what this process was started with, put in order before anything else: whoever
 * started it may have had signals blocked or ignored, descriptors open or closed, any umask.
 */
#include "base/err.h"

/* Opens /dev/null for standard descriptors that are closed, so that no other file becomes one of
 * them; keeps all further ones from the spawner; unblocks every signal; sets a umask that
 * leaves to group and others what is asked for by name (fchmod) and, to the group, reading. 0, or a negative errno with a sentence. */
int inherited_reset(struct err *);
