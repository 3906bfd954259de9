/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * spec - what a command is started with, as bytes in a sealed memfd.
 *
 * Layout: struct spec_head, then argc + envc + 2 NUL-terminated strings in this order: the
 * arguments, the environment's NAME=VALUE, the working directory, the path for standard input
 * ("" is /dev/null), then the supplementary groups (uint32_t each, unaligned), and nothing
 * else.
 */
#include <stddef.h>
#include <stdint.h>

struct spec_head {
    uint32_t magic; /* SPEC_MAGIC */
    uint32_t argc;  /* >= 1 */
    uint32_t envc;
    uint32_t groups;
    uint32_t umask;
    uint32_t nice;  /* reserved, 0 */
    uint32_t bytes; /* of the strings */
};
#define SPEC_MAGIC UINT32_C(0x61696f31)

/* Strings in one spec: execve(2) charges 8 bytes for the pointer of each to the 2 MiB that it
 * allows at the usual stack limit, so that more could not be executed. */
#define SPEC_MAX_STRINGS (256u * 1024u)

/* What to run; every pointer borrowed. Each string of env has a name and a "=". */
struct spec {
    const char *const *argv; /* argc of them */
    uint32_t argc;
    const char *const *env;
    uint32_t envc;
    const char *cwd; /* absolute */
    const char
        *input; /* absolute path opened by the child for standard input; NULL: /dev/null */
    const uint32_t *groups;
    uint32_t ngroups;
    uint32_t umask;
};

/* Writes the spec into a new memfd and seals it (F_SEAL_WRITE, SHRINK, GROW, SEAL), at offset
 * 0. The descriptor (>= 0, close-on-exec), -E2BIG over LIMIT_SPAWN_SPEC_BYTES or
 * SPEC_MAX_STRINGS, -EINVAL for what the spawner would refuse, or a negative errno. */
int spec_to_memfd(const struct spec *);
