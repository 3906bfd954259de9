/* SPDX-License-Identifier: MIT */
/*
 * environ - filter, replace, pack.
 */
#include "client/environ.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "proto/pack.h"

/* A name that ends in "*" stands for all that begin so. */
static const char *const environ_left_out[] = {
    /* of the shell and its terminal */
    "SHLVL", "OLDPWD", "_", "COLUMNS", "LINES", "WINDOWID", "TMUX*", "STY", "TERM_SESSION_ID",
    "SSH_TTY", "SSH_CONNECTION", "SSH_CLIENT",
    /* of the login session */
    "XDG_SESSION_*", "XDG_SEAT", "XDG_VTNR",
    /* of the service that submits */
    "LISTEN_*", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "WATCHDOG_*", "MANAGERPID",
    /* of the task that submits */
    "AIOD_TASK_ID", "AIOD_ATTEMPT"};

static const char *const environ_basic[] = {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"};

static bool environ_matches(const char *variable, const char *name)
{
    size_t len = strlen(name);
    if (name[len - 1] == '*')
        return strncmp(variable, name, len - 1) == 0;
    return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

bool environ_keeps(const char *variable)
{
    for (size_t i = 0; i < ARRAY_SIZE(environ_left_out); i++) {
        if (environ_matches(variable, environ_left_out[i]))
            return false;
    }
    return strchr(variable, '=') != NULL;
}

bool environ_is_basic(const char *variable)
{
    for (size_t i = 0; i < ARRAY_SIZE(environ_basic); i++) {
        if (environ_matches(variable, environ_basic[i]))
            return true;
    }
    return false;
}

static bool environ_same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");
    return strncmp(a, b, len) == 0 && b[len] == '=';
}

/* Whether a later one of the same name follows in set[from..]. */
static bool environ_replaced(const char *variable, const struct option_texts *set, size_t from)
{
    for (size_t i = from; i < set->n; i++) {
        if (environ_same_name(set->items[i], variable))
            return true;
    }
    return false;
}

static int environ_check(const struct option_texts *set, struct err *err)
{
    for (size_t i = 0; i < set->n; i++) {
        const char *equals = strchr(set->items[i], '=');
        if (!equals || equals == set->items[i])
            return err_set(err, -EINVAL, "--env: \"%s\" is not NAME=VALUE", set->items[i]);
    }
    return 0;
}

int environ_pack(struct buf *b, char *const *env, bool clean, const struct option_texts *set,
                 const char *pwd, struct err *err)
{
    int r = environ_check(set, err);
    if (r < 0)
        return r;
    size_t count = 0;
    while (env && env[count])
        count++;
    _cleanup_(defs_freep) const char **kept = calloc(count + set->n + 1, sizeof(*kept));
    _cleanup_(buf_done) struct buf new_pwd = BUF_INIT;
    if (!kept)
        return err_set(err, -ENOMEM, "out of memory");
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bool keep = clean ? environ_is_basic(env[i]) : environ_keeps(env[i]);
        if (keep && !environ_replaced(env[i], set, 0) &&
            !(pwd && environ_matches(env[i], "PWD")))
            kept[n++] = env[i];
    }
    if (pwd && !clean && !environ_replaced("PWD=", set, 0)) {
        buf_printf(&new_pwd, "PWD=%s", pwd);
        kept[n] = buf_cstr(&new_pwd);
        n += kept[n] != NULL;
    }
    for (size_t i = 0; i < set->n; i++) {
        if (!environ_replaced(set->items[i], set, i + 1))
            kept[n++] = set->items[i];
    }
    pack_array(b, n);
    for (size_t i = 0; i < n; i++)
        pack_text(b, kept[i]);
    return buf_ok(&new_pwd) ? 0 : err_set(err, -ENOMEM, "out of memory");
}
