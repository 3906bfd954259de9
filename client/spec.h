/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * spec - what submit and run are told: their options and words, made the parameters of
 * `submit`.
 */
#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/options.h"

struct spec_options {
    const char *name;
    const char *group;
    const char *line; /* -c */
    const char *call; /* --call */
    struct option_number in;
    const char *at;
    struct option_texts env;
    bool clean_env;
    const char *stdin_file;
    bool split;
    const char *cwd;
    enum option_format format;
};
enum {
    SPEC_NDEFS = 12,
    SPEC_RUN_NDEFS = SPEC_NDEFS - 1, /* run prints what the task prints, and nothing else */
};
extern const struct option_def spec_defs[SPEC_NDEFS];

/* Checks what can be seen without the daemon. 0, or -EINVAL with a sentence that says what to
 * do. */
int spec_check(const struct spec_options *, char *const *words, size_t n, struct err *);
/* Whether spec_pack needs the result of the method `functions`. */
bool spec_needs_functions(const struct spec_options *, char *const *words, size_t n);
/* Packs the parameters: reads the clock, the working directory, the environment and the umask.
 * functions may be NULL where it is not needed; split makes two output files in any case. 0 or
 * a negative errno. */
int spec_pack(struct buf *, const struct spec_options *, char *const *words, size_t n,
              bool split, const msgpack_object *functions, struct err *);
