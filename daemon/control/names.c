/* SPDX-License-Identifier: MIT */
#include "daemon/control/names.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/printable.h"

int name_check(const char *what, const char *name, struct err *err)
{
    bool ok = isalpha((unsigned char)name[0]);
    for (const char *c = name; *c && ok; c++)
        ok = isalnum((unsigned char)*c) || strchr("_.-:@+", *c) || (unsigned char)*c >= 0x80;
    ok = ok && printable_check(name, strlen(name));
    if (ok && (strcmp(name, "all") == 0 || strcmp(name, "last") == 0))
        return err_set(err, -EINVAL, "\"%s\" must not be \"%s\": that has a meaning of its own",
                       what, name);
    if (!ok)
        return err_set(
            err, -EINVAL,
            "\"%s\" must begin with a letter and hold letters, digits and _.-:@+ only", what);
    return 0;
}
