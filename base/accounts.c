/* SPDX-License-Identifier: MIT */
#include "base/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"

/* The first user of that name, or with NULL of that uid; -ENOENT: there is none. */
static int accounts_find(const char *name, uid_t uid, const struct passwd **ret)
{
    const struct passwd *user;
    FILE *file = fopen("/etc/passwd", "re");
    if (!file)
        return -errno;
    while ((user = fgetpwent(file))) {
        if (name ? strcmp(user->pw_name, name) == 0 : user->pw_uid == uid)
            break;
    }
    fclose(file);
    *ret = user;
    return user ? 0 : -ENOENT;
}

const char *accounts_user(uid_t uid)
{
    const struct passwd *user = NULL;
    return accounts_find(NULL, uid, &user) == 0 ? user->pw_name : NULL;
}

const char *accounts_self(void)
{
    static const char *const variables[] = {"LOGNAME", "USER"};
    const char *name = accounts_user(getuid());
    for (size_t i = 0; !name && i < ARRAY_SIZE(variables); i++) {
        uid_t other;
        const char *value = getenv(variables[i]);
        if (value && value[0] && accounts_uid(value, &other) == -ENOENT)
            name = value;
    }
    return name;
}

const char *accounts_group(gid_t gid)
{
    const struct group *group;
    FILE *file = fopen("/etc/group", "re");
    if (!file)
        return NULL;
    while ((group = fgetgrent(file)) && group->gr_gid != gid)
        continue;
    fclose(file);
    return group ? group->gr_name : NULL;
}

int accounts_uid(const char *name, uid_t *ret)
{
    const struct passwd *user = NULL;
    int r = accounts_find(name, 0, &user);
    if (r == 0)
        *ret = user->pw_uid;
    return r;
}
