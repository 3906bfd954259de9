/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"

/* The spawner gives the file to the user whose command writes it; the group stays aiod's, who
 * reads it by that. Nobody else comes this far: the directories are 0700. */
enum { OUTPUT_MODE = 0640 };
enum { OUTPUT_PER_DIRECTORY = 1000, OUTPUT_BLOCK = 8192, OUTPUT_CREATE_TRIES = 100 };

void output_name(char name[OUTPUT_NAME_MAX], uint64_t id, uint32_t attempt,
                 enum output_stream stream)
{
    static const char *const suffix[] = {"log", "out", "err"};
    snprintf(name, OUTPUT_NAME_MAX, "%03" PRIu64 "/%" PRIu64 ".%" PRIu32 ".%s",
             id / OUTPUT_PER_DIRECTORY, id, attempt, suffix[stream]);
}

static int output_create_one(int dir_fd, uint64_t id, uint32_t attempt,
                             enum output_stream stream, struct err *err)
{
    char name[OUTPUT_NAME_MAX];
    output_name(name, id, attempt, stream);
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(dir_fd, name, flags, OUTPUT_MODE);
    /* more than once: a removal may take the directory away again before the file is in it */
    for (int tries = 0; fd < 0 && errno == ENOENT && tries < OUTPUT_CREATE_TRIES; tries++) {
        char sub[OUTPUT_NAME_MAX];
        memcpy(sub, name, sizeof(sub));
        *strchr(sub, '/') = '\0';
        if (mkdirat(dir_fd, sub, 0700) < 0 && errno != EEXIST)
            return err_errno(err, -errno, "output/%s", sub);
        fd = openat(dir_fd, name, flags, OUTPUT_MODE);
    }
    if (fd < 0)
        return err_errno(err, -errno, "output/%s", name);
    /* it must not block here (see output_open); the command gets it as any other */
    fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

int output_create(int dir_fd, uint64_t id, uint32_t attempt, bool split, int *ret_out,
                  int *ret_err, struct err *err)
{
    int out = output_create_one(dir_fd, id, attempt, split ? OUTPUT_OUT : OUTPUT_BOTH, err);
    if (out < 0)
        return out;
    int err_fd = -1;
    if (split) {
        err_fd = output_create_one(dir_fd, id, attempt, OUTPUT_ERR, err);
        if (err_fd < 0) {
            close(out);
            return err_fd;
        }
    }
    *ret_out = out;
    *ret_err = err_fd;
    return 0;
}

/* The file belongs to the user whose command writes it: it may be leased, or, in an instance of
 * their own, replaced by a FIFO. Neither may hold the thread. */
int output_open(int dir_fd, uint64_t id, uint32_t attempt, enum output_stream stream)
{
    char name[OUTPUT_NAME_MAX];
    struct stat st;
    output_name(name, id, attempt, stream);
    _cleanup_(defs_closep) int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -ENOENT;
}

void output_remove(int dir_fd, uint64_t id, uint32_t attempts)
{
    char name[OUTPUT_NAME_MAX];
    /* and what was made ahead for an attempt that was taken back when the daemon stopped */
    for (uint32_t before = 0; before <= attempts; before++) {
        for (int stream = OUTPUT_BOTH; stream <= OUTPUT_ERR; stream++) {
            output_name(name, id, before + 1, stream);
            unlinkat(dir_fd, name, 0);
        }
    }
    output_name(name, id, 1, OUTPUT_BOTH);
    *strchr(name, '/') = '\0';
    unlinkat(dir_fd, name, AT_REMOVEDIR);
}

size_t output_last_line(int fd, char *line, size_t size)
{
    char block[OUTPUT_BLOCK];
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size == 0)
        return 0;
    off_t from = st.st_size > (off_t)sizeof(block) ? st.st_size - (off_t)sizeof(block) : 0;
    ssize_t n = pread(fd, block, sizeof(block), from);
    if (n <= 0)
        return 0;
    size_t end = (size_t)n;
    while (end > 0 &&
           (block[end - 1] == '\n' || block[end - 1] == '\r' || block[end - 1] == ' '))
        end--;
    size_t begin = end;
    while (begin > 0 && block[begin - 1] != '\n' && block[begin - 1] != '\r')
        begin--;
    size_t len = end - begin < size ? end - begin : size - 1;
    memcpy(line, block + begin, len);
    line[len] = '\0';
    return len;
}

uint64_t output_tail_offset(int fd, uint64_t lines, uint64_t max_bytes)
{
    char block[OUTPUT_BLOCK];
    struct stat st;
    if (fstat(fd, &st) < 0)
        return 0;
    off_t at = st.st_size;
    if (lines == 0)
        return (uint64_t)at;
    off_t floor = (uint64_t)at > max_bytes ? at - (off_t)max_bytes : 0;
    bool last = true; /* the newline that ends the file ends a line, it begins none */
    while (at > floor) {
        off_t from = at - floor > (off_t)sizeof(block) ? at - (off_t)sizeof(block) : floor;
        ssize_t n = pread(fd, block, (size_t)(at - from), from);
        if (n <= 0)
            return 0;
        for (ssize_t i = n - 1; i >= 0; i--) {
            if (block[i] == '\n' && !last && lines-- <= 1)
                return (uint64_t)(from + i + 1);
            last = false;
        }
        at = from;
    }
    return (uint64_t)floor;
}
