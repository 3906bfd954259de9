/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/spec_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "daemon/spawner/spec.h"

enum { SPEC_NEEDED_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

/* The seals keep writers out: what is checked here is what aiod wrote, and it is whole. */
static int spec_view_read(struct spec_view *v, int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SPEC_NEEDED_SEALS) != SPEC_NEEDED_SEALS)
        return -EPERM;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)sizeof(struct spec_head))
        return -EINVAL;
    if (st.st_size > (off_t)LIMIT_SPAWN_SPEC_BYTES)
        return -E2BIG;
    v->size = (size_t)st.st_size;
    v->bytes = malloc(v->size);
    if (!v->bytes)
        return -ENOMEM;
    for (size_t done = 0; done < v->size;) {
        ssize_t n = pread(fd, v->bytes + done, v->size - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EINVAL;
        done += (size_t)n;
    }
    return 0;
}

/* Whether the counts fit each other and the size. */
static bool spec_head_is_sound(const struct spec_head *h, size_t size)
{
    uint64_t strings = (uint64_t)h->argc + h->envc + 2;
    uint64_t whole = sizeof(*h) + (uint64_t)h->bytes + (uint64_t)h->groups * sizeof(uint32_t);

    return h->magic == SPEC_MAGIC && h->nice == 0 && h->argc >= 1 &&
           strings <= SPEC_MAX_STRINGS && strings <= h->bytes && h->groups <= LIMIT_GROUPS &&
           (h->umask & ~0777u) == 0 && whole == size;
}

/* Takes the next string at *cur; NULL if there is no NUL before end. */
static char *spec_string_next(char **cur, const char *end)
{
    char *text = *cur;
    char *nul = memchr(text, '\0', (size_t)(end - text));
    if (nul)
        *cur = nul + 1;
    return nul ? text : NULL;
}

static int spec_view_strings(struct spec_view *v, const struct spec_head *h)
{
    char *cur = v->bytes + sizeof(*h);
    const char *end = cur + h->bytes;

    for (uint32_t i = 0; i < h->argc; i++)
        if (!(v->argv[i] = spec_string_next(&cur, end)))
            return -EINVAL;
    for (uint32_t i = 0; i < h->envc; i++) {
        v->env[i] = spec_string_next(&cur, end);
        if (!v->env[i] || v->env[i][0] == '=' || !strchr(v->env[i], '='))
            return -EINVAL;
    }
    v->envc = h->envc;
    v->cwd = spec_string_next(&cur, end);
    if (!v->cwd || v->cwd[0] != '/')
        return -EINVAL;
    v->input = spec_string_next(&cur, end);
    if (!v->input || (v->input[0] && v->input[0] != '/'))
        return -EINVAL;
    return cur == end ? 0 : -EINVAL;
}

static int spec_view_parse(struct spec_view *v)
{
    struct spec_head head;
    memcpy(&head, v->bytes, sizeof(head));
    if (!spec_head_is_sound(&head, v->size))
        return -EINVAL;

    size_t words = 1 + (size_t)head.argc + 1 + head.envc + SPEC_OWN_ENV + 1;
    v->words = calloc(words, sizeof(*v->words));
    v->groups = calloc((size_t)head.groups + 1, sizeof(*v->groups)); /* never of size 0 */
    if (!v->words || !v->groups)
        return -ENOMEM;
    v->argv = v->words + 1;
    v->env = v->argv + head.argc + 1;
    v->umask = head.umask;
    v->ngroups = head.groups;
    _Static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups are copied as they are");
    memcpy(v->groups, v->bytes + sizeof(head) + head.bytes, head.groups * sizeof(gid_t));
    return spec_view_strings(v, &head);
}

int spec_view_open(struct spec_view *v, int fd)
{
    *v = (struct spec_view){0};
    int r = spec_view_read(v, fd);
    if (r == 0)
        r = spec_view_parse(v);
    if (r < 0)
        spec_view_done(v);
    return r;
}

void spec_view_done(struct spec_view *v)
{
    free(v->bytes);
    free(v->words);
    free(v->groups);
    *v = (struct spec_view){0};
}

void spec_view_setenv(struct spec_view *v, char *entry)
{
    size_t name = strcspn(entry, "=") + 1;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < v->envc; i++)
        if (strncmp(v->env[i], entry, name) != 0)
            v->env[kept++] = v->env[i];
    v->env[kept++] = entry;
    v->env[kept] = NULL;
    v->envc = kept;
}
