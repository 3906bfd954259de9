/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * summary - counts, groups and the loop's load, as status and health show them.
 */
#include "daemon/control/call.h"

/* {pending, running, suspended, ok, failed, cancelled} of what the caller may see. */
void summary_counts(const struct call *, struct buf *);
/* The array of groups. */
void summary_groups(const struct call *, struct buf *);
/* Adds the keys counts, groups and loop. */
void summary_pack(const struct call *, struct buf *, struct pack_map_place *);
