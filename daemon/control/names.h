/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * names - what tasks and groups may be called.
 */
#include "base/err.h"

/* Names begin with a letter, so that no name is an id, and hold nothing that a shell or a
 * terminal could misread. 0, or -EINVAL with a sentence that calls it `what`. */
int name_check(const char *what, const char *name, struct err *);
