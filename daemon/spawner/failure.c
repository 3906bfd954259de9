/* SPDX-License-Identifier: MIT */
/*
 * failure - the sentence for a command that could not be started.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/spawner/client.h"

static void failure_of_exec(char *text, size_t size, int err, const char *command)
{
    if (err == ENOENT && !strchr(command, '/'))
        snprintf(text, size, "no such command: %s", command);
    else if (err == E2BIG)
        snprintf(text, size, "%s: arguments and environment are too long", command);
    else
        snprintf(text, size, "%s: %s", command, strerror(err));
}

static void failure_of_fork(char *text, size_t size, int err)
{
    if (err == ESHUTDOWN)
        snprintf(text, size, "not started: the spawner is being stopped");
    else
        snprintf(text, size, "no process for it: %s", strerror(err));
}

char *spawner_failure_text(char *text, size_t size, const struct record *rec,
                           const char *command, const char *cwd, const char *input)
{
    int err = rec->failed.err;

    switch ((enum spawn_step)rec->failed.step) {
    case SPAWN_STEP_SPEC:
        snprintf(text, size, "refused by the spawner: %s", strerror(err));
        break;
    case SPAWN_STEP_DENIED:
        snprintf(text, size, "the spawner may not run commands as this user");
        break;
    case SPAWN_STEP_FORK:
        failure_of_fork(text, size, err);
        break;
    case SPAWN_STEP_SESSION:
        snprintf(text, size, "new session: %s", strerror(err));
        break;
    case SPAWN_STEP_STDIN:
        snprintf(text, size, "input %s: %s", input ? input : "/dev/null", strerror(err));
        break;
    case SPAWN_STEP_FDS:
        snprintf(text, size, "descriptors: %s", strerror(err));
        break;
    case SPAWN_STEP_LIMITS:
        snprintf(text, size, "limits: %s", strerror(err));
        break;
    case SPAWN_STEP_USER:
        snprintf(text, size, "becoming the user: %s", strerror(err));
        break;
    case SPAWN_STEP_CHDIR:
        snprintf(text, size, "cwd %s: %s", cwd ? cwd : "", strerror(err));
        break;
    case SPAWN_STEP_EXEC:
        failure_of_exec(text, size, err, command ? command : "");
        break;
    case SPAWN_STEP_NONE:
    default:
        snprintf(text, size, "not started: %s", strerror(err));
        break;
    }
    return text;
}
