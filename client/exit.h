/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * exit - the exit statuses of aioctl, for scripts. proto_error_exit gives those of the daemon's
 * errors.
 */

enum exit_status {
    EXIT_OK = 0,
    EXIT_TASK_FAILED = 1,      /* the task failed or was cancelled */
    EXIT_USAGE = 2,            /* the command line is wrong */
    EXIT_NOTHING = 3,          /* no task, group or function matched */
    EXIT_UNREACHABLE = 4,      /* no daemon answers */
    EXIT_REFUSED = 5,          /* refused, or over a limit */
    EXIT_TIMED_OUT = 124,      /* as timeout(1) */
    EXIT_OWN = 125,            /* an error of aioctl's own where the status is the task's */
    EXIT_CANNOT_EXECUTE = 126, /* as shells do; the daemon gives it in the task's error */
    EXIT_NO_COMMAND = 127,     /* likewise */
    EXIT_SIGNAL = 128,         /* + the signal's number */
};
