/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * become - a child that is still root becomes the user whose command it is to execute.
 *
 * Only in a child with memory of its own: these are calls of libc, and from here on the process
 * is the user's.
 */
#include "daemon/spawner/child.h"

/* The output file of aiod's at this descriptor becomes the user's. 0 or a negative errno. */
int become_owner(const struct child_start *start, int fd);
/* Groups, gid, uid; afterwards no way leads back. 0 or a negative errno. Every signal is blocked
 * when it returns. */
int become_user(const struct child_start *start);
/* The kernel may kill this one for memory like any other, though it spares the spawner. Best
 * effort, and as root: afterwards the file is not ours to write. */
void become_mortal(void);
