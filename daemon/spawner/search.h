/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * search - executing a command as execvp(3) does, with the PATH of the environment given.
 *
 * Async-signal-safe: allocates nothing, for use between fork and exec.
 */

/* argv[-1] must be writable: a script without #! is run as `/bin/sh SCRIPT …`. Does not return
 * if the command could be executed; else the negative errno that execvp would set. */
int search_exec(char **argv, char *const *env);
