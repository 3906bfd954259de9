/* SPDX-License-Identifier: MIT */
/*
 * rig_files - the rig's directory, and what tests assert of records.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

const char *rig_file(const struct rig *rig, const char *name)
{
    static char paths[8][RIG_PATH];
    static unsigned next;
    char *path = paths[next++ % ARRAY_SIZE(paths)];
    snprintf(path, RIG_PATH, "%.400s/%s", rig->dir, name);
    return path;
}

const char *rig_read(const char *path)
{
    static char text[65536];
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    return text;
}

const char *rig_out(const struct rig *rig, unsigned n)
{
    char name[32];
    snprintf(name, sizeof(name), "out.%u", n);
    return rig_read(rig_file(rig, name));
}

void rig_write(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

size_t rig_spawner_fds(const struct rig *rig)
{
    char path[64];
    size_t n = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", rig->pid);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

void assert_exit(const struct record *rec, int status)
{
    assert_int_equal(rec->type, RECORD_EXITED);
    assert_true(WIFEXITED(rec->exited.status));
    assert_int_equal(WEXITSTATUS(rec->exited.status), status);
}

void assert_killed(const struct record *rec, int signo)
{
    assert_int_equal(rec->type, RECORD_EXITED);
    assert_true(WIFSIGNALED(rec->exited.status));
    assert_int_equal(WTERMSIG(rec->exited.status), signo);
}

void assert_failed(const struct record *rec, enum spawn_step step, int err)
{
    assert_int_equal(rec->type, RECORD_FAILED);
    assert_int_equal(rec->failed.step, step);
    assert_int_equal(rec->failed.err, err);
}
