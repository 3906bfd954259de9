/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * exec_args - the arguments of exec: what is allowed, how they are stored, what the spawner
 * gets.
 */
#include "daemon/tasks/function.h"

struct exec_args {
    const msgpack_object *argv; /* array of texts, at least one */
    const msgpack_object *env;  /* array of NAME=VALUE; NULL: a minimal one */
    struct bytes cwd;           /* absolute */
    struct bytes input;         /* absolute; data NULL: /dev/null */
    uint64_t umask;
    bool split; /* two output files */
    bool line;  /* argv is sh -c LINE */
};

/* struct function's check. */
int exec_args_check(const msgpack_object *args, struct function_call *ret, struct err *);

/* Reads what exec_args_check stored. The result points into `args`, which the caller keeps. 0
 * or -EBADMSG. */
int exec_args_read(const struct unpacked *args, struct exec_args *ret);

struct bytes exec_args_command(const struct exec_args *); /* argv[0] */

/* The spec of an attempt as a sealed memfd: >= 0, or a negative errno. env: the array as
 * stored, or NULL; creds: the supplementary groups, or NULL. */
int exec_args_to_memfd(const struct exec_args *, const struct value *env,
                       const struct value *creds);
