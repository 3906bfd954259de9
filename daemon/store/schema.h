/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * schema - the tables, their version, and the way from an older one to this.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/store/db.h"

enum { SCHEMA_UUID_BYTES = 16 };

/* Reads what kind of database this is; writes nothing. *ret_version is 0 for an empty one.
 * -EUCLEAN: damaged or not ours; -ENOTSUP: of a newer version. The sentences name path. */
int schema_inspect(struct db *, const char *path, int *ret_version, struct err *);
/* Reads the whole database and looks for damage (-EUCLEAN). */
int schema_check(struct db *, const char *path, struct err *);
/* Makes the tables (uuid is the new instance) or brings them from version to this one. */
int schema_upgrade(struct db *, int version, const uint8_t uuid[SCHEMA_UUID_BYTES],
                   struct err *);
/* What the database says about itself. */
int schema_meta(struct db *, const char *path, uint8_t ret_uuid[SCHEMA_UUID_BYTES],
                uint64_t *ret_last_id, struct err *);
/* The sentence for damage anywhere: what it is, and what to do. Returns -EUCLEAN. */
int schema_damaged(struct err *, const char *path, const char *what);
