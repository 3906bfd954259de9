/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * marker - two small files beside the database that outlive it.
 *
 * `instance` holds the uuid of the state directory: where it is, a database was. `clean` is
 * there only while no process has the database open and the last one closed it in order.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { MARKER_UUID_BYTES = 16 };

/* 1: there is one, ret is its uuid (zero when it cannot be read as one); 0: none; negative
 * errno. */
int marker_instance_read(int dir_fd, const char *dir, uint8_t ret[MARKER_UUID_BYTES],
                         struct err *);
/* Durable when it returns 0. */
int marker_instance_write(int dir_fd, const char *dir, const uint8_t uuid[MARKER_UUID_BYTES],
                          struct err *);

/* True when the last close was in order; from here on, durably, it no longer is. A negative
 * errno when that cannot be recorded. */
int marker_clean_take(int dir_fd, const char *dir, struct err *);
/* Best effort: without it the next start checks the database. */
void marker_clean_put(int dir_fd);
