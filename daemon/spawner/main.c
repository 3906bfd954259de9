/* SPDX-License-Identifier: MIT */
/*
 * aiod-spawner - parent of every command; see server.h. Here: argv and exit statuses alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/spawner/options.h"
#include "daemon/spawner/process.h"
#include "daemon/spawner/server.h"

enum { MAIN_USAGE = 2, MAIN_LOCKED = 3 };

int main(int argc, char **argv)
{
    struct server_config config;
    struct server server;
    struct err err = ERR_INIT;

    if (process_open_std() < 0)
        return EXIT_FAILURE;
    int r = options_parse(&config, argc, argv, &err);
    if (r == OPTIONS_DONE)
        return EXIT_SUCCESS;
    if (r < 0) {
        fprintf(stderr, "aiod-spawner: %s\n", err.msg);
        return MAIN_USAGE;
    }
    r = server_open(&server, &config, &err);
    if (r == 0)
        r = server_run(&server, &err);
    server_close(&server);
    if (r == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "aiod-spawner: %s\n", err.msg);
    return r == -EBUSY ? MAIN_LOCKED : EXIT_FAILURE;
}
