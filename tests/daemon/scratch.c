/* SPDX-License-Identifier: MIT */
#include "tests/daemon/scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

void scratch_init(struct scratch *s)
{
    *s = (struct scratch){.path = "/tmp/aiod-test-XXXXXX"};
    assert_non_null(mkdtemp(s->path));
    s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(s->fd >= 0);
}

static int scratch_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void scratch_done(struct scratch *s)
{
    close(s->fd);
    nftw(s->path, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_write(const struct scratch *s, const char *name, const char *text)
{
    static _Thread_local char path[128];
    snprintf(path, sizeof(path), "%s/%s", s->path, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}
