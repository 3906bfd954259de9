/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * options - the command line of aiod-spawner.
 */
#include "base/err.h"
#include "daemon/spawner/server.h"

enum options_outcome { OPTIONS_RUN, OPTIONS_DONE }; /* DONE: --help or --version was printed */

/* Fills the configuration from the command line. An options_outcome, or -EINVAL with a
 * sentence. */
int options_parse(struct server_config *config, int argc, char **argv, struct err *err);
