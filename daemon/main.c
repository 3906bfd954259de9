/* SPDX-License-Identifier: MIT */
/* aiod: argv in, exit status out. */
#include <errno.h>
#include <stdio.h>

#include "daemon/daemon.h"
#include "daemon/service/options.h"

int main(int argc, char **argv)
{
    struct logger log;
    struct options options;
    struct err err = ERR_INIT;
    log_init(&log, "aiod");
    if (options_parse(&options, argc, argv, &err) < 0) {
        log_error(&log, "%s", err.msg);
        return DAEMON_USAGE;
    }
    int status = DAEMON_OK;
    if (options.help) {
        fputs(options_usage, stdout);
    } else if (options.version) {
        puts("aiod " AIOD_VERSION);
    } else {
        struct daemon *daemon = NULL;
        int r = daemon_new(&daemon, &options, &log, &err);
        if (r < 0) {
            log_error(&log, "%s", err.msg);
            status = r == -EINVAL ? DAEMON_CONFIG : DAEMON_FAILED;
        } else {
            status = daemon_run(daemon);
        }
        daemon_free(daemon);
    }
    options_done(&options);
    return status;
}
