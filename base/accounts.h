/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * accounts - names of users and groups as /etc/passwd and /etc/group have them.
 *
 * getpwuid(3) and its like load the modules that nsswitch.conf names, which a statically linked
 * program cannot do well. So users and groups that only a directory service has (LDAP, sssd,
 * systemd-homed, DynamicUser=) are not found here, and are shown by number; only oneself is known by
 * $LOGNAME or $USER, too.
 */
#include <sys/types.h>

/* All texts are the library's, valid until the next call of any of these; not thread-safe. */

/* NULL: there is no such user, or the file cannot be read. */
const char *accounts_user(uid_t);
/* The same for whoever runs this, by the environment where the file does not have them: unless
 * the file says that the name there is somebody else's, which sudo and its like leave behind. */
const char *accounts_self(void);
const char *accounts_group(gid_t);
/* 0 and *ret; -ENOENT: there is no such user; or another negative errno: the file cannot be
 * read. */
int accounts_uid(const char *name, uid_t *ret);
