/* SPDX-License-Identifier: MIT */
/*
 * spec - writing a spec into a sealed memfd (aiod's side; spec_read.c is the spawner's).
 */
#include "daemon/spawner/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"

enum { SPEC_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static bool spec_is_sound(const struct spec *s)
{
    if (s->argc < 1 || !s->cwd || s->cwd[0] != '/' || (s->umask & ~0777u))
        return false;
    if (s->input && s->input[0] != '/')
        return false;
    for (uint32_t i = 0; i < s->envc; i++)
        if (s->env[i][0] == '=' || !strchr(s->env[i], '='))
            return false;
    return true;
}

static void spec_append_string(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text) + 1);
}

static int spec_format(const struct spec *s, struct buf *b)
{
    struct spec_head head = {.magic = SPEC_MAGIC,
                             .argc = s->argc,
                             .envc = s->envc,
                             .groups = s->ngroups,
                             .umask = s->umask};
    buf_append(b, &head, sizeof(head));
    for (uint32_t i = 0; i < s->argc; i++)
        spec_append_string(b, s->argv[i]);
    for (uint32_t i = 0; i < s->envc; i++)
        spec_append_string(b, s->env[i]);
    spec_append_string(b, s->cwd);
    spec_append_string(b, s->input ? s->input : "");
    size_t bytes = b->len - sizeof(head);
    buf_append(b, s->groups, s->ngroups * sizeof(*s->groups));
    if (!buf_ok(b))
        return -ENOMEM;
    if (b->len > LIMIT_SPAWN_SPEC_BYTES)
        return -E2BIG;
    head.bytes = (uint32_t)bytes;
    memcpy(b->data, &head, sizeof(head));
    return 0;
}

/* pwrite leaves the offset at 0. */
static int spec_write(int fd, const uint8_t *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pwrite(fd, data + done, len - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return fcntl(fd, F_ADD_SEALS, SPEC_SEALS) < 0 ? -errno : 0;
}

int spec_to_memfd(const struct spec *s)
{
    if (s->argc > SPEC_MAX_STRINGS || s->envc > SPEC_MAX_STRINGS ||
        s->argc + s->envc + 2 > SPEC_MAX_STRINGS || s->ngroups > LIMIT_GROUPS)
        return -E2BIG;
    if (!spec_is_sound(s))
        return -EINVAL;

    struct buf b = BUF_INIT;
    int fd = -1;
    int r = spec_format(s, &b);
    if (r < 0)
        goto out;
    fd = memfd_create("aiod-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        r = -errno;
        goto out;
    }
    r = spec_write(fd, b.data, b.len);
    if (r < 0)
        close(fd);
out:
    buf_done(&b);
    return r < 0 ? r : fd;
}
