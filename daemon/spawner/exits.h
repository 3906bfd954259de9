/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * exits - the file of outcomes that nobody had released when the spawner was stopped.
 *
 * A header and entries of one size: whose instance, STARTED, EXITED or FAILED. It is written
 * when the spawner ends (a new file, fsync, rename) and stays until the last entry was
 * released, so that a spawner that is killed meanwhile loses none; what is offered twice is
 * released twice.
 */
#include "base/err.h"
#include "daemon/spawner/children.h"

/* Entries in the file, the newest: 9 MiB. Only outcomes of instances that never came back
 * can pile up. */
enum { EXITS_MAX = 65536 };

/* Adds what the file in this directory has, as children that are `left`. Returns how many there
 * are, or a negative errno with a sentence. -EBADMSG: it is not such a file, and was renamed to
 * exits.bad. */
int exits_load(int dirfd, struct children *children, struct err *err);
/* Writes every child that has ended and is not released; removes the file if there is none.
 * Returns how many, or a negative errno with a sentence. */
int exits_save(int dirfd, const struct children *children, struct err *err);
/* Removes the file. 0, also if there is none, or a negative errno with a sentence. */
int exits_remove(int dirfd, struct err *err);
