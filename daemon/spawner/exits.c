/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/exits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

#define EXITS_MAGIC UINT64_C(0x3173746978656f69)

struct exits_head {
    uint64_t magic;
    uint32_t version; /* RECORD_VERSION */
    uint32_t entries;
};

struct exits_entry {
    uint8_t instance[RECORD_UUID_BYTES];
    struct record started; /* type 0: there was no process */
    struct record end;
};

static int exits_add(struct children *children, const struct exits_entry *e)
{
    if (children_find(children, e->end.token))
        return 0;
    struct child *child = children_add(children, e->end.token, e->instance);
    if (!child)
        return -ENOMEM;
    child->started = e->started;
    child->end = e->end;
    child->left = true;
    children->left++;
    return 0;
}

static bool exits_entry_is_sound(const struct exits_entry *e)
{
    return (e->end.type == RECORD_EXITED || e->end.type == RECORD_FAILED) &&
           (e->started.type == 0 || e->started.type == RECORD_STARTED);
}

static int exits_read_entries(int fd, uint32_t n, struct children *children)
{
    for (uint32_t i = 0; i < n; i++) {
        struct exits_entry e;
        ssize_t got = read(fd, &e, sizeof(e));
        if (got < 0)
            return -errno;
        if (got != (ssize_t)sizeof(e) || !exits_entry_is_sound(&e))
            return -EBADMSG;
        int r = exits_add(children, &e);
        if (r < 0)
            return r;
    }
    return (int)n;
}

/* Only a file that this user wrote: another's could invent outcomes. */
static int exits_read(int fd, struct children *children)
{
    struct exits_head head;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return -EBADMSG;
    ssize_t n = read(fd, &head, sizeof(head));
    if (n < 0)
        return -errno;
    if (n != (ssize_t)sizeof(head) || head.magic != EXITS_MAGIC ||
        head.version != RECORD_VERSION || head.entries > EXITS_MAX ||
        (uint64_t)st.st_size != sizeof(head) + head.entries * sizeof(struct exits_entry))
        return -EBADMSG;
    return exits_read_entries(fd, head.entries, children);
}

int exits_load(int dirfd, struct children *children, struct err *err)
{
    int fd = openat(dirfd, "exits", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, -errno, "exits");
    int r = exits_read(fd, children);
    close(fd);
    if (r == -EBADMSG && renameat(dirfd, "exits", dirfd, "exits.bad") == 0)
        return err_set(err, r, "exits: not written by a spawner like this, kept as exits.bad");
    return r < 0 ? err_errno(err, r, "exits") : r;
}

static bool exits_has(const struct child *child)
{
    return child->end.type != 0 && !child->released;
}

static int exits_format(struct buf *b, const struct children *children)
{
    struct exits_head head = {.magic = EXITS_MAGIC, .version = RECORD_VERSION};
    size_t ended = 0;
    list_for_each (node, &children->all)
        ended += exits_has(container_of(node, struct child, all));
    size_t skip = ended > EXITS_MAX ? ended - EXITS_MAX : 0;
    head.entries = (uint32_t)(ended - skip);

    buf_append(b, &head, sizeof(head));
    list_for_each (node, &children->all) {
        const struct child *child = container_of(node, struct child, all);
        if (!exits_has(child) || (skip && skip--))
            continue;
        struct exits_entry e = {.started = child->started, .end = child->end};
        memcpy(e.instance, child->instance, sizeof(e.instance));
        buf_append(b, &e, sizeof(e));
    }
    return buf_ok(b) ? (int)head.entries : -ENOMEM;
}

static int exits_write(int dirfd, const struct buf *b)
{
    int fd =
        openat(dirfd, "exits.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int r = 0;
    for (size_t done = 0; r == 0 && done < b->len;) {
        ssize_t n = write(fd, b->data + done, b->len - done);
        if (n < 0 && errno != EINTR)
            r = -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    if (r == 0 &&
        (fsync(fd) < 0 || renameat(dirfd, "exits.new", dirfd, "exits") < 0 || fsync(dirfd) < 0))
        r = -errno;
    close(fd);
    return r;
}

int exits_remove(int dirfd, struct err *err)
{
    if (unlinkat(dirfd, "exits", 0) < 0 && errno != ENOENT)
        return err_errno(err, -errno, "exits");
    return 0;
}

int exits_save(int dirfd, const struct children *children, struct err *err)
{
    struct buf b = BUF_INIT;
    int n = exits_format(&b, children);
    int r = n > 0 ? exits_write(dirfd, &b) : n;
    buf_done(&b);
    if (n == 0)
        return exits_remove(dirfd, err);
    return r < 0 ? err_errno(err, r, "exits") : n;
}
