/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * options - the command line of aiod, and where an instance lives.
 */
#include <stdbool.h>

#include "base/err.h"

struct options {
    bool system;       /* serves every user; else its owner alone */
    bool debug;        /* log debug lines */
    bool check_config; /* read the configuration, start nothing */
    bool help;
    bool version;
    char *runtime_dir;    /* owned, absolute: the control socket is in it */
    char *state_dir;      /* owned, absolute: database, output, lock */
    char *config;         /* owned: the configuration file */
    bool config_given;    /* then it has to exist */
    char *spawner;        /* owned: the executable; NULL: found beside aiod's own */
    char *spawner_socket; /* owned, absolute */
};

extern const char options_usage[];

/* Parses argv and fills in what was not given: --system for root, else --user, with their
 * directories. 0, -EINVAL with a sentence, or -ENOMEM. */
int options_parse(struct options *ret, int argc, char **argv, struct err *);
void options_done(struct options *);
