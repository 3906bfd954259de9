/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * fault_vfs - SQLite's own file layer with failures on demand.
 */
#include <stdbool.h>

/* Makes it the default for what is opened from here on. False: no memory. */
bool fault_vfs_install(void);
void fault_vfs_remove(void);

void fault_vfs_fail_sync(bool); /* every sync: SQLITE_IOERR_FSYNC */
void fault_vfs_fill(bool);      /* every write: SQLITE_FULL */
/* Waits until more than n were asked for, 10 s at most; true if so. */
bool fault_vfs_await_sync(unsigned n);
unsigned fault_vfs_syncs(void);  /* asked for so far, failed ones too */
unsigned fault_vfs_writes(void); /* likewise */
