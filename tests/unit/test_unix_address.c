/* SPDX-License-Identifier: MIT */
/* test_unix_address - paths of every length are bound and connected to. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/unix_address.h"

enum { DEEP = 6 };
static const char name[] = "a-directory-with-a-long-name";
static char root[] = "/tmp/aiod-test-XXXXXX";
static char deep[512]; /* root/name/name/… */

static int setup(void **state)
{
    (void)state;
    strcpy(root + strlen(root) - 6, "XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(deep, sizeof(deep), "%s", root);
    for (int i = 0; i < DEEP; i++) {
        size_t used = strlen(deep);
        snprintf(deep + used, sizeof(deep) - used, "/%s", name);
        assert_int_equal(mkdir(deep, 0700), 0);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (char *slash; strlen(deep) > strlen(root); *slash = '\0') {
        assert_int_equal(rmdir(deep), 0);
        slash = strrchr(deep, '/');
    }
    return rmdir(root);
}

/* Binds and connects; leaves no descriptor behind. */
static void assert_reached(const char *path)
{
    struct unix_address address;
    struct err err = ERR_INIT;
    int lowest = dup(STDIN_FILENO);
    close(lowest);
    assert_int_equal(unix_address_init(&address, path, &err), 0);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address.un, address.len), 0);
    assert_int_equal(listen(listener, 1), 0);
    unix_address_done(&address);
    assert_int_equal(unix_address_init(&address, path, &err), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address.un, address.len), 0);
    unix_address_done(&address);
    close(client);
    close(listener);
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(dup(STDIN_FILENO), lowest);
    close(lowest);
}

static void short_paths(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof(path), "%s/s", root);
    assert_reached(path);
}

/* Around the border of sun_path, byte by byte. */
static void paths_of_every_length(void **state)
{
    (void)state;
    char path[600];
    size_t used = (size_t)snprintf(path, sizeof(path), "%s/%s/", root, name);
    size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) + 10;
    for (size_t len = used + 1; len < max; len++) {
        memset(path + used, 'x', len - used);
        path[len] = '\0';
        if (len - used <= 80) /* behind the directory: /proc/self/fd/N/NAME */
            assert_reached(path);
    }
}

static void long_paths(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof(path), "%s/control.sock", deep);
    assert_true(strlen(path) > 160);
    assert_reached(path);
}

static void relative_paths(void **state)
{
    (void)state;
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(chdir(root), 0);
    assert_reached("s");
    char path[600];
    snprintf(path, sizeof(path), "%s/s", deep + strlen(root) + 1);
    assert_true(strlen(path) > 160);
    assert_reached(path);
    assert_int_equal(fchdir(here), 0);
    close(here);
}

static void names_in_a_directory(void **state)
{
    (void)state;
    struct unix_address address;
    char expected[64], longest[120];
    assert_int_equal(unix_address_at(&address, 7, "control.sock"), 0);
    assert_string_equal(address.un.sun_path, "/proc/self/fd/7/control.sock");
    assert_int_equal(address.dir_fd, -1);
    snprintf(expected, sizeof(expected), "/proc/self/fd/%d/", INT_MAX);
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(address.un.sun_path) - strlen(expected)] = '\0';
    assert_int_equal(unix_address_at(&address, INT_MAX, longest), -ENAMETOOLONG);
    longest[sizeof(address.un.sun_path) - strlen(expected) - 1] = '\0';
    assert_int_equal(unix_address_at(&address, INT_MAX, longest), 0);
}

static void refused(void **state)
{
    (void)state;
    struct unix_address address;
    struct err err = ERR_INIT;
    char path[PATH_MAX + 200];
    assert_int_equal(unix_address_init(&address, "", &err), -EINVAL);
    snprintf(path, sizeof(path), "%s/gone/%0200d", root, 0);
    assert_int_equal(unix_address_init(&address, path, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "/gone/"));
    snprintf(path, sizeof(path), "%s/%0200d", deep, 0);
    assert_int_equal(unix_address_init(&address, path, &err), -ENAMETOOLONG);
    snprintf(path, sizeof(path), "%s/", deep);
    assert_int_equal(unix_address_init(&address, path, &err), -EINVAL);
    memset(path, 'x', sizeof(path) - 1);
    path[PATH_MAX + 100] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(unix_address_init(&address, path, &err), -ENAMETOOLONG);
}

static void split(void **state)
{
    (void)state;
    const char *rest;
    struct err err = ERR_INIT;
    int fd = unix_address_split("/control.sock", &rest, &err);
    struct stat a, b;
    assert_true(fd >= 0);
    assert_string_equal(rest, "control.sock");
    assert_int_equal(fstat(fd, &a), 0);
    assert_int_equal(stat("/", &b), 0);
    assert_true(a.st_ino == b.st_ino);
    close(fd);
    assert_int_equal(unix_address_split("/nowhere/s", &rest, &err), -ENOENT);
    assert_int_equal(unix_address_split("/dev/null/s", &rest, &err), -ENOTDIR);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(short_paths),       TEST(paths_of_every_length), TEST(long_paths),
        TEST(relative_paths),    TEST(names_in_a_directory),  TEST(refused),
        cmocka_unit_test(split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
