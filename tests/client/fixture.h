/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * fixture - a fake daemon behind a socket whose path is longer than sun_path, and whole
 * commands run against it, each in a process of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "fake.h"

struct fixture {
    char dir[256];
    char path[320]; /* of the socket */
    int listener;
    int out; /* what the command printed */
    int err;
    pid_t pid;
    struct fake fake;
    bool (*arg)(struct fake *); /* what a handler sets as fake.hello */
    bool pipe_gone;             /* the command's stdout is a pipe that nobody reads */
    const char *reconnect;      /* $AIOD_RECONNECT; NULL: "0", a broken connection ends it */
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Runs aioctl with the words of line, separated by "|"; returns its exit status, or minus its
 * signal. The handler's arg is the fixture. */
int fixture_run(struct fixture *, const char *line, fake_handler_fn *handler);
/* Compares all that was printed so far. */
void fixture_check(struct fixture *, const char *out, const char *err);
void fixture_check_out(struct fixture *, const char *out);
/* What was said on stderr so far; static. */
const char *fixture_said(struct fixture *);
/* Both were said: sentences begin with "aioctl: VERB: the event loop at PATH", which is long. */
void fixture_check_said(struct fixture *, const char *first, const char *last);
/* Compares all that was asked so far. */
void fixture_check_trace(struct fixture *, const char *expected);
