/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * scratch - a directory of a test's own below /tmp, removed with all that is in it.
 */
struct scratch {
    char path[64];
    int fd; /* of the directory */
};

void scratch_init(struct scratch *); /* fails the test if there can be none */
void scratch_done(struct scratch *);
/* Writes a file in it; returns its path, valid until the next call. */
const char *scratch_write(const struct scratch *, const char *name, const char *text);
