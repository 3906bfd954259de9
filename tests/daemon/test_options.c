/* SPDX-License-Identifier: MIT */
/*
 * The command line of aiod: where an instance lives by default, for the system and for a user,
 * and what is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "daemon/service/options.h"

enum { ARGS_MAX = 16 };

static struct options options;
static struct err err;

static int setup(void **state)
{
    (void)state;
    setenv("HOME", "/home/ana", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
    setenv("XDG_STATE_HOME", "/srv/state", 1);
    setenv("XDG_CONFIG_HOME", "/srv/config", 1);
    unsetenv("SYSTEMD_EXEC_PID");
    options = (struct options){0};
    err = (struct err)ERR_INIT;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    options_done(&options);
    options_done(&options);
    return 0;
}

/* Words with blanks between them; "''" is the empty one. */
static int parse(const char *line)
{
    char text[256], *argv[ARGS_MAX + 1] = {(char *)"aiod"};
    int argc = 1;
    options_done(&options);
    snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok(text, " "); word && argc < ARGS_MAX; word = strtok(NULL, " "))
        argv[argc++] = strcmp(word, "''") == 0 ? (char *)"" : word;
    argv[argc] = NULL;
    return options_parse(&options, argc, argv, &err);
}

static void accept(const char *line)
{
    int r = parse(line);
    assert_string_equal(err.msg, "");
    assert_int_equal(r, 0);
}

/* getopt(3) tells about the option itself, on stderr. */
static void refuse(const char *line, const char *sentence)
{
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    assert_non_null(freopen("/dev/null", "w", stderr));
    int r = parse(line);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(r, -EINVAL);
    assert_int_equal(err.code, -EINVAL);
    assert_string_equal(err.msg, sentence);
    assert_null(options.state_dir);
}

/* ---- defaults ---- */

static void test_system(void **state)
{
    (void)state;
    accept("--system");
    assert_true(options.system);
    assert_false(options.debug);
    assert_false(options.config_given);
    assert_string_equal(options.runtime_dir, "/run/aiod");
    assert_string_equal(options.state_dir, "/var/lib/aiod");
    assert_string_equal(options.config, "/etc/aiod/aiod.conf");
    assert_null(options.spawner);
    assert_string_equal(options.spawner_socket, "/var/lib/aiod/spawner.sock");
}

static void test_system_under_systemd(void **state)
{
    char pid[16];
    (void)state;
    setenv("SYSTEMD_EXEC_PID", "1", 1); /* inherited from a unit that started a terminal */
    accept("--system");
    assert_string_equal(options.spawner_socket, "/var/lib/aiod/spawner.sock");
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("SYSTEMD_EXEC_PID", pid, 1);
    accept("--system");
    assert_string_equal(options.spawner_socket, "/run/aiod-spawner/spawner.sock");
    accept("--system --spawner-socket /tmp/s");
    assert_string_equal(options.spawner_socket, "/tmp/s");
    accept("--user");
    assert_string_equal(options.spawner_socket, "/srv/state/aiod/spawner.sock");
}

static void test_user(void **state)
{
    (void)state;
    accept("--user");
    assert_false(options.system);
    assert_string_equal(options.runtime_dir, "/run/user/1000/aiod");
    assert_string_equal(options.state_dir, "/srv/state/aiod");
    assert_string_equal(options.config, "/srv/config/aiod/aiod.conf");
    assert_string_equal(options.spawner_socket, "/srv/state/aiod/spawner.sock");
}

static void assert_home_paths(void)
{
    char runtime[64];
    snprintf(runtime, sizeof(runtime), "/run/user/%u/aiod", (unsigned)getuid());
    accept("--user");
    assert_string_equal(options.runtime_dir, runtime);
    assert_string_equal(options.state_dir, "/home/ana/.local/state/aiod");
    assert_string_equal(options.config, "/home/ana/.config/aiod/aiod.conf");
    assert_string_equal(options.spawner_socket, "/home/ana/.local/state/aiod/spawner.sock");
}

static void test_user_without_xdg(void **state)
{
    (void)state;
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("XDG_STATE_HOME");
    unsetenv("XDG_CONFIG_HOME");
    assert_home_paths();
    /* empty and relative ones count as not set */
    setenv("XDG_RUNTIME_DIR", "", 1);
    setenv("XDG_STATE_HOME", "state", 1);
    setenv("XDG_CONFIG_HOME", "./config", 1);
    assert_home_paths();
}

static void test_user_without_home(void **state)
{
    (void)state;
    unsetenv("HOME");
    accept("--user");
    unsetenv("XDG_STATE_HOME");
    refuse("--user", "neither $XDG_STATE_HOME nor $HOME says where to put it");
    setenv("HOME", "ana", 1);
    refuse("--user", "neither $XDG_STATE_HOME nor $HOME says where to put it");
    setenv("XDG_STATE_HOME", "/srv/state", 1);
    unsetenv("XDG_CONFIG_HOME");
    refuse("--user", "neither $XDG_CONFIG_HOME nor $HOME says where to put it");
    err = (struct err)ERR_INIT;
    accept("--user --config /etc/x"); /* what is given needs no default */
    accept("--system");
}

static void test_who_starts_it(void **state)
{
    (void)state;
    accept("");
    assert_int_equal(options.system, geteuid() == 0);
    accept("--system --user");
    assert_false(options.system);
    accept("--user --system");
    assert_true(options.system);
}

/* ---- what is given ---- */

static void test_given(void **state)
{
    (void)state;
    accept("--system --runtime-dir /a --state-dir /b --config=/c --spawner /d --debug "
           "--check-config");
    assert_string_equal(options.runtime_dir, "/a");
    assert_string_equal(options.state_dir, "/b");
    assert_string_equal(options.config, "/c");
    assert_true(options.config_given);
    assert_string_equal(options.spawner, "/d");
    assert_string_equal(options.spawner_socket, "/b/spawner.sock");
    assert_true(options.debug);
    assert_true(options.check_config);
    accept("--system --state-dir /b --state-dir /c"); /* the last one counts */
    assert_string_equal(options.state_dir, "/c");
}

static void test_relative(void **state)
{
    (void)state;
    assert_int_equal(chdir("/usr"), 0);
    accept("--system --runtime-dir a --state-dir ./b --config c/d");
    assert_string_equal(options.runtime_dir, "/usr/a");
    assert_string_equal(options.state_dir, "/usr/./b");
    assert_string_equal(options.config, "/usr/c/d");
    accept("--system --spawner e --spawner-socket ../f");
    assert_string_equal(options.spawner, "/usr/e");
    assert_string_equal(options.spawner_socket, "/usr/../f");
}

static void test_help_and_version(void **state)
{
    (void)state;
    unsetenv("HOME");
    unsetenv("XDG_STATE_HOME"); /* neither needs to know where anything is */
    accept("--user --help");
    assert_true(options.help);
    assert_false(options.version);
    assert_null(options.state_dir);
    accept("-h");
    assert_true(options.help);
    accept("--user --version");
    assert_true(options.version);
    assert_false(options.help);
}

/* Every option is told about. */
static void test_usage(void **state)
{
    static const char *const names[] = {
        "--system",  "--user",           "--runtime-dir", "--state-dir", "--config",
        "--spawner", "--spawner-socket", "--debug",       "--help",      "--version"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_non_null(strstr(options_usage, names[i]));
}

/* ---- refusals ---- */

static void test_refused(void **state)
{
    (void)state;
    refuse("--nonsense", "see aiod --help");
    refuse("-x", "see aiod --help");
    refuse("--state-dir", "see aiod --help");
    refuse("--debug=3", "see aiod --help");
    refuse("now", "\"now\" is no option: see aiod --help");
    refuse("--system -- now", "\"now\" is no option: see aiod --help");
    refuse("now --help", "\"now\" is no option: see aiod --help");
    refuse("--state-dir ''", "an empty path");
    refuse("--state-dir /a --config ''", "an empty path");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_system),
        TEST(test_system_under_systemd),
        TEST(test_user),
        TEST(test_user_without_xdg),
        TEST(test_user_without_home),
        TEST(test_who_starts_it),
        TEST(test_given),
        TEST(test_relative),
        TEST(test_help_and_version),
        TEST(test_usage),
        TEST(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
