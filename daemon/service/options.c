/* SPDX-License-Identifier: MIT */
#include "daemon/service/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "daemon/service/notify.h"

const char options_usage[] =
    "usage: aiod [OPTION…]\n"
    "\n"
    "One event loop that runs what `aioctl submit` gives it. Stays in the foreground.\n"
    "\n"
    "  --system              serve every user (default for root)\n"
    "  --user                serve the user who starts it alone (default for others)\n"
    "  --runtime-dir DIR     where control.sock is made\n"
    "                        (/run/aiod; $XDG_RUNTIME_DIR/aiod, else /run/user/UID/aiod)\n"
    "  --state-dir DIR       what has to survive: database, output\n"
    "                        (/var/lib/aiod; $XDG_STATE_HOME/aiod, else ~/.local/state/aiod)\n"
    "  --config FILE         configuration; SIGHUP reads it again\n"
    "                        (/etc/aiod/aiod.conf; $XDG_CONFIG_HOME/aiod/aiod.conf)\n"
    "  --spawner FILE        the aiod-spawner to start when none answers\n"
    "  --spawner-socket PATH where the spawner listens\n"
    "                        (under systemd --system: /run/aiod-spawner/spawner.sock;\n"
    "                        else spawner.sock in the state directory)\n"
    "  --check-config        only say whether the configuration can be read\n"
    "  --debug               log more\n"
    "  --help, --version\n";

enum {
    OPTION_SYSTEM = 256,
    OPTION_USER,
    OPTION_RUNTIME_DIR,
    OPTION_STATE_DIR,
    OPTION_CONFIG,
    OPTION_SPAWNER,
    OPTION_SPAWNER_SOCKET,
    OPTION_CHECK_CONFIG,
    OPTION_DEBUG,
};

static const struct option options_long[] = {
    {"system", no_argument, NULL, OPTION_SYSTEM},
    {"user", no_argument, NULL, OPTION_USER},
    {"runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"spawner", required_argument, NULL, OPTION_SPAWNER},
    {"spawner-socket", required_argument, NULL, OPTION_SPAWNER_SOCKET},
    {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
    {"debug", no_argument, NULL, OPTION_DEBUG},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

void options_done(struct options *o)
{
    free(o->runtime_dir);
    free(o->state_dir);
    free(o->config);
    free(o->spawner);
    free(o->spawner_socket);
    *o = (struct options){0};
}

/* The path below the working directory unless it is absolute. */
static int options_set_path(char **ret, const char *path, struct err *err)
{
    _cleanup_(defs_freep) char *cwd = NULL;
    char *absolute = NULL;
    if (path[0] == '\0')
        return err_set(err, -EINVAL, "an empty path");
    if (path[0] != '/' && !(cwd = getcwd(NULL, 0)))
        return err_errno(err, -errno, "the working directory");
    if (asprintf(&absolute, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    free(*ret);
    *ret = absolute;
    return 0;
}

static int options_one(struct options *o, int option, struct err *err)
{
    switch (option) {
    case OPTION_SYSTEM:
        o->system = true;
        return 0;
    case OPTION_USER:
        o->system = false;
        return 0;
    case OPTION_RUNTIME_DIR:
        return options_set_path(&o->runtime_dir, optarg, err);
    case OPTION_STATE_DIR:
        return options_set_path(&o->state_dir, optarg, err);
    case OPTION_CONFIG:
        o->config_given = true;
        return options_set_path(&o->config, optarg, err);
    case OPTION_SPAWNER:
        return options_set_path(&o->spawner, optarg, err);
    case OPTION_SPAWNER_SOCKET:
        return options_set_path(&o->spawner_socket, optarg, err);
    case OPTION_CHECK_CONFIG:
        o->check_config = true;
        return 0;
    case OPTION_DEBUG:
        o->debug = true;
        return 0;
    case 'h':
        o->help = true;
        return 0;
    case 'V':
        o->version = true;
        return 0;
    default:
        return err_set(err, -EINVAL, "see aiod --help");
    }
}

/* $variable/aiod…, else the fallback below the home directory or as it is. */
static int options_user_path(char **ret, const char *variable, const char *fallback,
                             const char *rest, struct err *err)
{
    const char *base = getenv(variable);
    const char *home = getenv("HOME");
    int n;
    if (*ret)
        return 0;
    if (base && base[0] == '/')
        n = asprintf(ret, "%s/%s", base, rest);
    else if (fallback[0] == '/')
        n = asprintf(ret, "%s/%u/%s", fallback, (unsigned)getuid(), rest);
    else if (home && home[0] == '/')
        n = asprintf(ret, "%s/%s/%s", home, fallback, rest);
    else
        return err_set(err, -EINVAL, "neither $%s nor $HOME says where to put it", variable);
    return n < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int options_system_path(char **ret, const char *path, struct err *err)
{
    if (!*ret && !(*ret = strdup(path)))
        return err_set(err, -ENOMEM, "out of memory");
    return 0;
}

static int options_defaults(struct options *o, struct err *err)
{
    int r;
    if (o->system) {
        r = options_system_path(&o->runtime_dir, "/run/aiod", err);
        if (r == 0)
            r = options_system_path(&o->state_dir, "/var/lib/aiod", err);
        if (r == 0)
            r = options_system_path(&o->config, "/etc/aiod/aiod.conf", err);
        if (r == 0 && notify_supervised())
            r = options_system_path(&o->spawner_socket, "/run/aiod-spawner/spawner.sock", err);
    } else {
        r = options_user_path(&o->runtime_dir, "XDG_RUNTIME_DIR", "/run/user", "aiod", err);
        if (r == 0)
            r = options_user_path(&o->state_dir, "XDG_STATE_HOME", ".local/state", "aiod", err);
        if (r == 0)
            r = options_user_path(&o->config, "XDG_CONFIG_HOME", ".config", "aiod/aiod.conf",
                                  err);
    }
    if (r == 0 && !o->spawner_socket &&
        asprintf(&o->spawner_socket, "%s/spawner.sock", o->state_dir) < 0)
        r = err_set(err, -ENOMEM, "out of memory");
    return r;
}

int options_parse(struct options *ret, int argc, char **argv, struct err *err)
{
    struct options o = {.system = geteuid() == 0};
    int option, r = 0;
    optind = 0;
    while (r == 0 && (option = getopt_long(argc, argv, "+h", options_long, NULL)) != -1)
        r = options_one(&o, option, err);
    if (r == 0 && optind < argc)
        r = err_set(err, -EINVAL, "\"%s\" is no option: see aiod --help", argv[optind]);
    if (r == 0 && !o.help && !o.version)
        r = options_defaults(&o, err);
    if (r < 0) {
        options_done(&o);
        return r;
    }
    *ret = o;
    return 0;
}
