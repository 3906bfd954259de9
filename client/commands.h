/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * commands - all verbs, and the way from argv to one of them.
 */
#include <stddef.h>

#include "client/command.h"

extern const struct command *const commands_all[];
extern const size_t commands_n;
/* Options that every verb takes, also in front of it. */
extern const struct option_def commands_options[];
extern const size_t commands_noptions;

/* By name or alias; NULL: there is none. */
const struct command *commands_find(const char *name);
/* Runs aioctl; returns its exit status. */
int commands_main(int argc, char **argv);
