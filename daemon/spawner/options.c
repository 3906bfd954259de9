/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/accounts.h"
#include "base/limits.h"
#include "base/parse.h"

static const char options_help[] =
    "Usage: aiod-spawner --socket PATH [OPTION…]\n"
    "Starts commands for aiod and holds their exit statuses until aiod has recorded them.\n"
    "\n"
    "  --socket PATH      listen here; PATH.lock beside it keeps a second one away\n"
    "  --state-dir DIR    where statuses that nobody took are left (the socket's directory)\n"
    "  --peer-uid USER    serve this user, a number or a name (the one it runs as)\n"
    "  --grace MS         between SIGTERM and SIGKILL of commands when it is stopped (10000)\n"
    "  --exit-when-idle   end when there is neither a connection nor a command\n"
    "  --ready-fd N       write \"READY=1\" to this descriptor when it listens, and close it\n"
    "  --version          print the version\n"
    "  --help             print this\n"
    "\n"
    "Exit status: 0 stopped, 1 failed, 2 wrong usage, 3 another one serves PATH.\n";

static int options_number(const char *name, const char *text, uint32_t max, uint32_t *ret,
                          struct err *err)
{
    uint64_t value;
    if (parse_u64(text, &value) < 0 || value > max)
        return err_set(err, -EINVAL, "--%s: \"%s\" is not a number up to %u", name, text, max);
    *ret = (uint32_t)value;
    return 0;
}

/* Units give the name of a user whose number is chosen at installation. Such a system user is
 * in /etc/passwd. */
static int options_user(const char *text, uint32_t *ret, struct err *err)
{
    if (text[0] >= '0' && text[0] <= '9')
        return options_number("peer-uid", text, UINT32_MAX - 1, ret, err);
    int r = accounts_uid(text, ret);
    if (r == -ENOENT)
        return err_set(err, -EINVAL, "--peer-uid: /etc/passwd has no user \"%s\"", text);
    if (r < 0)
        return err_set(err, -EINVAL, "--peer-uid: /etc/passwd: %s", strerror(-r));
    return 0;
}

static int options_ready_fd(const char *text, int *ret, struct err *err)
{
    uint32_t fd = 0;
    int r = options_number("ready-fd", text, 1u << 20, &fd, err);
    if (r < 0)
        return r;
    if (fd <= STDERR_FILENO || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return err_set(err, -EINVAL, "--ready-fd: %s is not a descriptor for that", text);
    *ret = (int)fd;
    return 0;
}

enum option_id {
    OPTION_SOCKET = 1,
    OPTION_STATE_DIR,
    OPTION_PEER_UID,
    OPTION_GRACE,
    OPTION_IDLE,
    OPTION_READY_FD,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option options_table[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {"peer-uid", required_argument, NULL, OPTION_PEER_UID},
    {"grace", required_argument, NULL, OPTION_GRACE},
    {"exit-when-idle", no_argument, NULL, OPTION_IDLE},
    {"ready-fd", required_argument, NULL, OPTION_READY_FD},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int options_take(struct server_config *config, int option, const char *arg,
                        struct err *err)
{
    switch (option) {
    case OPTION_SOCKET:
        config->socket = arg;
        return 0;
    case OPTION_STATE_DIR:
        config->state_dir = arg;
        return 0;
    case OPTION_PEER_UID:
        return options_user(arg, &config->peer_uid, err);
    case OPTION_GRACE:
        return options_number("grace", arg, 3600u * 1000u, &config->grace_ms, err);
    case OPTION_IDLE:
        config->exit_when_idle = true;
        return 0;
    case OPTION_READY_FD:
        return options_ready_fd(arg, &config->ready_fd, err);
    case OPTION_VERSION:
        puts("aiod-spawner " AIOD_VERSION);
        return OPTIONS_DONE;
    case OPTION_HELP:
        fputs(options_help, stdout);
        return OPTIONS_DONE;
    default:
        return err_set(err, -EINVAL, "wrong options; see aiod-spawner --help");
    }
}

int options_parse(struct server_config *config, int argc, char **argv, struct err *err)
{
    *config = (struct server_config){
        .peer_uid = geteuid(), .grace_ms = LIMIT_TERM_GRACE_MS, .ready_fd = -1};
    int option;
    while ((option = getopt_long(argc, argv, "", options_table, NULL)) != -1) {
        int r = options_take(config, option, optarg, err);
        if (r != OPTIONS_RUN)
            return r;
    }
    if (optind < argc)
        return err_set(err, -EINVAL, "\"%s\" is not an option", argv[optind]);
    if (!config->socket)
        return err_set(err, -EINVAL, "--socket is missing; see aiod-spawner --help");
    return OPTIONS_RUN;
}
