/* SPDX-License-Identifier: MIT */
/*
 * Which event loop a command talks to, in which order, and what is said when none answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/instance.h"

static void check_instances(const struct instance_query *q, const char *first,
                            const char *second, bool chosen, bool startable)
{
    struct instances in = {.n = 0};
    struct err err = ERR_INIT;
    assert_int_equal(instance_choose(q, &in, &err), 0);
    assert_int_equal(in.n, second ? 2 : 1);
    assert_string_equal(in.path[0], first);
    if (second)
        assert_string_equal(in.path[1], second);
    assert_int_equal(in.chosen, chosen);
    assert_int_equal(in.startable, startable);
    instances_done(&in);
}

static void test_instance_choice(void **state)
{
    (void)state;
    struct instance_query q = {
        .runtime_dir = "/nowhere/1", .system_socket = "/nowhere/2", .uid = 4242};
    struct instances in = {.n = 0};
    struct err err = ERR_INIT;
    check_instances(&q, "/nowhere/1/aiod/control.sock", NULL, false, true);
    q.user = true;
    check_instances(&q, "/nowhere/1/aiod/control.sock", NULL, true, true);
    q.runtime_dir = NULL;
    q.env_socket = "/env.sock";
    check_instances(&q, "/run/user/4242/aiod/control.sock", NULL, true, false);
    q.runtime_dir = "relative";
    check_instances(&q, "/run/user/4242/aiod/control.sock", NULL, true, false);
    q.user = false;
    check_instances(&q, "/env.sock", NULL, true, false);
    q.env_socket = "";
    check_instances(&q, "/run/user/4242/aiod/control.sock", NULL, false, true);
    q.system = true;
    check_instances(&q, "/nowhere/2", NULL, true, false);
    q.system = false;
    q.socket = "./s";
    check_instances(&q, "./s", NULL, true, false);
    q.system = true;
    assert_int_equal(instance_choose(&q, &in, &err), -EINVAL);
    assert_string_equal(err.msg, "--socket, --user and --system exclude each other");
}

/* Which of the two comes first depends on what is there. */
static void test_instance_order(void **state)
{
    (void)state;
    char dir[] = "/tmp/aioctl-test-XXXXXX";
    char own[96], owns_dir[64], system[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(owns_dir, sizeof(owns_dir), "%s/aiod", dir);
    (void)snprintf(own, sizeof(own), "%s/control.sock", owns_dir);
    (void)snprintf(system, sizeof(system), "%s/system", dir);
    struct instance_query q = {.runtime_dir = dir, .system_socket = system};
    assert_int_equal(mkdir(owns_dir, 0700), 0);
    check_instances(&q, own, NULL, false, true);
    assert_int_equal(close(creat(system, 0600)), 0);
    check_instances(&q, system, own, false, true);
    assert_int_equal(close(creat(own, 0600)), 0);
    check_instances(&q, own, system, false, true);
    assert_int_equal(unlink(system), 0);
    check_instances(&q, own, NULL, false, true);
    assert_int_equal(unlink(own), 0);
    assert_int_equal(rmdir(owns_dir), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void check_advice(enum instance_kind kind, bool chosen, int r, const char *expected)
{
    struct instances in = {.path = {(char *)"/d/s"}, .kind = {kind}, .n = 1, .chosen = chosen};
    struct err err = ERR_INIT;
    assert_int_equal(instance_advise(&in, 0, r, &err), r);
    assert_string_equal(err.msg, expected);
}

static void test_instance_advice(void **state)
{
    (void)state;
    check_advice(INSTANCE_GIVEN, true, -ENOENT,
                 "no running event loop at /d/s: start it with `aiod --runtime-dir /d`");
    check_advice(INSTANCE_USER, true, -ECONNREFUSED,
                 "no running event loop at /d/s: `aioctl --user submit` starts it");
    check_advice(INSTANCE_USER, false, -ENOENT,
                 "no running event loop at /d/s: `aioctl submit` starts it");
    check_advice(INSTANCE_SYSTEM, true, -ENOENT,
                 "no running event loop at /d/s: start it with `systemctl start aiod.socket`");
    check_advice(INSTANCE_GIVEN, true, -EACCES, ""); /* connect's own sentence stays */
}

/* The group is that of the socket. */
static void test_instance_denied(void **state)
{
    (void)state;
    struct instances in = {
        .path = {(char *)"/d/s"}, .kind = {INSTANCE_SYSTEM}, .n = 1, .chosen = true};
    struct err err = ERR_INIT;
    assert_int_equal(instance_advise(&in, 0, -EACCES, &err), -EACCES);
    assert_non_null(strstr(err.msg, "the system's event loop at /d/s is for members of group "
                                    "aiod (ask root: adduser "));
    assert_null(strstr(err.msg, "of your own"));
    in.chosen = false;
    assert_int_equal(instance_advise(&in, 0, -EACCES, &err), -EACCES);
    assert_non_null(strstr(err.msg, "; `aioctl submit` starts one of your own"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instance_choice),
        cmocka_unit_test(test_instance_order),
        cmocka_unit_test(test_instance_advice),
        cmocka_unit_test(test_instance_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
