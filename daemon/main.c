/* SPDX-License-Identifier: MIT */
/* aiod: argv in, exit status out. */
#include <errno.h>
#include <stdio.h>

#include "daemon/daemon.h"
#include "daemon/service/config.h"
#include "daemon/service/inherited.h"
#include "daemon/service/notify.h"
#include "daemon/service/options.h"

static int main_check_config(const struct options *options, struct logger *log)
{
    struct config config;
    struct err err = ERR_INIT;
    config_init(&config);
    int r = config_read(&config, options->config, options->config_given, &err);
    config_done(&config);
    if (r == 0)
        return DAEMON_OK;
    log_error(log, "%s", err.msg);
    return DAEMON_CONFIG;
}

static int main_run(const struct options *options, struct logger *log)
{
    struct daemon *daemon = NULL;
    struct err err = ERR_INIT;
    int status, r = daemon_new(&daemon, options, log, &err);
    if (r < 0) {
        log_error(log, "%s", err.msg);
        notify_failed(-r);
        status = r == -EINVAL ? DAEMON_CONFIG : DAEMON_FAILED;
    } else {
        status = daemon_run(daemon);
    }
    daemon_free(daemon);
    return status;
}

int main(int argc, char **argv)
{
    struct logger log;
    struct options options;
    struct err err = ERR_INIT;
    int r = inherited_reset(&err);
    log_init(&log, "aiod");
    if (r < 0) {
        log_error(&log, "%s", err.msg);
        return DAEMON_FAILED;
    }
    if (options_parse(&options, argc, argv, &err) < 0) {
        log_error(&log, "%s", err.msg);
        return DAEMON_USAGE;
    }
    int status = DAEMON_OK;
    if (options.help) {
        fputs(options_usage, stdout);
    } else if (options.version) {
        puts("aiod " AIOD_VERSION);
    } else if (options.check_config) {
        status = main_check_config(&options, &log);
    } else {
        status = main_run(&options, &log);
    }
    options_done(&options);
    return status;
}
