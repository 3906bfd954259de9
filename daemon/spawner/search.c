/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/search.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "daemon/spawner/raw.h"

/* Where the environment has no PATH. */
#define SEARCH_DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static const char *search_path_of(char *const *env)
{
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return SEARCH_DEFAULT_PATH;
}

static int search_try(char *file, char **argv, char *const *env)
{
    static const char shell[] = "/bin/sh";

    int r = raw_execve(file, argv, env);
    if (r != -ENOEXEC)
        return r;
    char *name = argv[0];
    argv[-1] = (char *)(uintptr_t)shell; /* execve does not write to it */
    argv[0] = file;
    r = raw_execve(shell, argv - 1, env);
    argv[0] = name;
    return r;
}

/* Whether the search goes on behind a directory that gave this error. */
static bool search_goes_on(int r)
{
    switch (r) {
    case -EACCES:
    case -ENOENT:
    case -ENOTDIR:
    case -ESTALE:
    case -ENODEV:
    case -ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

int search_exec(char **argv, char *const *env)
{
    size_t size = strlen(argv[0]);
    if (size == 0)
        return -ENOENT;
    if (strchr(argv[0], '/'))
        return search_try(argv[0], argv, env);
    if (size > NAME_MAX)
        return -ENAMETOOLONG;

    bool denied = false;
    int r = -ENOENT;
    const char *dir = search_path_of(env);
    for (;;) {
        size_t len = strcspn(dir, ":");
        char file[PATH_MAX + NAME_MAX + 2];
        if (len < PATH_MAX) { /* an empty one is the current directory */
            memcpy(file, dir, len);
            file[len] = '/';
            size_t at = len ? len + 1 : 0;
            memcpy(file + at, argv[0], size + 1);
            r = search_try(file, argv, env);
            if (!search_goes_on(r))
                return r;
            denied |= r == -EACCES;
        }
        if (!dir[len])
            return denied ? -EACCES : r;
        dir += len + 1;
    }
}
