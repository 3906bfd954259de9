/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * err - what went wrong, for programs and for people.
 *
 * Functions return 0 or a negative errno; the sentence for people is filled at
 * the origin and prefixed by the layers it passes on its way up
 * ("submit: cwd: /srv/x: No such file or directory").
 */
#include <stdarg.h>

enum { ERR_MSG_MAX = 320 }; /* bytes, with the final NUL; longer sentences are cut */

struct err {
    int code;              /* 0 or a negative errno */
    char msg[ERR_MSG_MAX]; /* a sentence without a final full stop; "" when code is 0 */
};
#define ERR_INIT                                                                               \
    {                                                                                          \
        0, ""                                                                                  \
    }

/* Sets *err (which may be NULL) and returns code, so that `return err_set(…)` reads well. */
int err_set(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* As err_set, and adds ": " and strerror(-code). */
int err_errno(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "text: " before the sentence; returns err->code (err may be NULL: returns 0). */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
