/* SPDX-License-Identifier: MIT */
/* test_accounts - names from the files, and of oneself from the environment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/accounts.h"

enum { NOBODYS = 2000000011 }; /* an id that no file has */

static void test_names(void **state)
{
    (void)state;
    uid_t uid = 1;
    assert_string_equal(accounts_user(0), "root");
    assert_string_equal(accounts_group(0), "root");
    assert_null(accounts_user(NOBODYS));
    assert_null(accounts_group(NOBODYS));
    assert_int_equal(accounts_uid("root", &uid), 0);
    assert_int_equal(uid, 0);
    assert_int_equal(accounts_uid("roo", &uid), -ENOENT);
    assert_int_equal(accounts_uid("", &uid), -ENOENT);
}

/* In a child that is a user whom the file does not have: 0 if it calls itself so. */
static int self_is(const char *logname, const char *user, const char *expected)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("LOGNAME", logname, 1);
        setenv("USER", user, 1);
        if (setuid(NOBODYS) < 0)
            _exit(2);
        const char *name = accounts_self();
        _exit(expected ? !name || strcmp(name, expected) != 0 : name != NULL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_self(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(self_is("ana", "eve", "ana"), 0);
    assert_int_equal(self_is("", "eve", "eve"), 0);
    assert_int_equal(self_is("root", "eve", "eve"), 0); /* who became somebody else */
    assert_int_equal(self_is("root", "root", NULL), 0);
    assert_int_equal(self_is("", "", NULL), 0);
}

/* The file goes first. */
static void test_self_by_file(void **state)
{
    (void)state;
    const char *name = accounts_user(getuid());
    if (!name)
        skip();
    char *copy = strdup(name);
    assert_non_null(copy);
    setenv("LOGNAME", "somebody-else", 1);
    assert_string_equal(accounts_self(), copy);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_self),
        cmocka_unit_test(test_self_by_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
