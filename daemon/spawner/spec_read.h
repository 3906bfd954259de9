/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * spec_read - a spec (spec.h) as the spawner sees it: read, checked, ready for execve(2).
 *
 * Read, not mapped: for what a command line usually has that is cheaper, and it costs no page
 * faults in the child. All that a child needs between fork and exec is made here, before the
 * fork, because there it may not allocate.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spec_view {
    char *bytes;  /* owned; the strings below point into it */
    size_t size;  /* of these */
    char **words; /* owned: a spare place, argv, NULL, env, spare places, NULL */
    char **argv;  /* into words, NULL-terminated; argv[-1] is free for an interpreter */
    char **env;   /* into words, NULL-terminated, with room for SPEC_OWN_ENV more */
    uint32_t envc;
    const char *cwd;   /* absolute */
    const char *input; /* absolute, "" is /dev/null */
    gid_t *groups;     /* owned */
    uint32_t ngroups;
    mode_t umask;
};

enum { SPEC_OWN_ENV = 2 }; /* variables that spec_view_setenv may add */

/* Reads and checks a memfd; the descriptor stays the caller's. 0; -EPERM (not sealed), -E2BIG,
 * -EINVAL (not a spec), -ENOMEM. Nothing to undo after a failure. */
int spec_view_open(struct spec_view *v, int fd);
void spec_view_done(struct spec_view *v);

/* Puts "NAME=VALUE" (borrowed) in the place of all variables of that name, or adds it;
 * for SPEC_OWN_ENV different names at most. */
void spec_view_setenv(struct spec_view *v, char *entry);
