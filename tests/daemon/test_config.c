/* SPDX-License-Identifier: MIT */
/*
 * The configuration file: every setting, every refusal with its line, and the file that is
 * shipped: without effect as it is, accepted with every setting of it switched on.
 */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/limits.h"
#include "daemon/service/config.h"
#include "tests/daemon/scratch.h"

static struct scratch scratch;
static struct config config; /* what the last read filled */

static int setup(void **state)
{
    (void)state;
    scratch_init(&scratch);
    config_init(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_done(&config);
    scratch_done(&scratch);
    return 0;
}

static int read_text(const char *text, struct err *err)
{
    config_done(&config);
    config_init(&config);
    return config_read(&config, scratch_write(&scratch, "aiod.conf", text), true, err);
}

static void accept(const char *text)
{
    struct err err = ERR_INIT;
    int r = read_text(text, &err);
    assert_string_equal(err.msg, "");
    assert_int_equal(r, 0);
}

static void refuse(const char *text, int line, const char *reason)
{
    char sentence[ERR_MSG_MAX];
    struct err err = ERR_INIT;
    assert_int_equal(read_text(text, &err), -EINVAL);
    snprintf(sentence, sizeof(sentence), "%s/aiod.conf:%d: %s", scratch.path, line, reason);
    assert_string_equal(err.msg, sentence);
}

static void assert_defaults(void)
{
    assert_int_equal(config.socket_mode, 0600);
    assert_int_equal(config.socket_group, (gid_t)-1);
    assert_int_equal(config.queued_per_uid, LIMIT_QUEUED_PER_UID);
    assert_int_equal(config.grace_ms, LIMIT_TERM_GRACE_MS);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_true(list_empty(&config.groups));
}

/* "name=slots name=slots", in the order in which they are applied. */
static void assert_groups(const char *expected)
{
    struct buf b = BUF_INIT;
    list_for_each (it, &config.groups) {
        const struct config_group *group = container_of(it, struct config_group, node);
        buf_printf(&b, "%s%s=%u", b.len ? " " : "", group->name, group->slots);
    }
    assert_string_equal(buf_cstr(&b), expected);
    buf_done(&b);
}

/* ---- the file ---- */

static void test_defaults(void **state)
{
    (void)state;
    assert_defaults();
    accept("");
    assert_defaults();
    accept("\n# a comment\n; another\n\n[limits]\n[group empty]\n");
    assert_defaults();
}

static void test_no_file(void **state)
{
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(config_read(&config, "/nonexistent/aiod.conf", false, &err), 0);
    assert_defaults();
    assert_int_equal(config_read(&config, "/nonexistent/aiod.conf", true, &err), -ENOENT);
    assert_string_equal(err.msg, "/nonexistent/aiod.conf: No such file or directory");
    /* what is in the way is an error also where none need be */
    const char *path = scratch_write(&scratch, "file", "");
    char below[160];
    snprintf(below, sizeof(below), "%s/aiod.conf", path);
    assert_int_equal(config_read(&config, below, false, &err), -ENOTDIR);
    assert_non_null(strstr(err.msg, "file/aiod.conf: Not a directory"));
}

static void test_directory(void **state)
{
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(config_read(&config, scratch.path, true, &err), -EISDIR);
    assert_non_null(strstr(err.msg, scratch.path));
}

/* ---- settings ---- */

static void test_control(void **state)
{
    (void)state;
    accept("[control]\nsocket-mode = 0660\n");
    assert_int_equal(config.socket_mode, 0660);
    accept("[control]\nsocket-mode = 777\n");
    assert_int_equal(config.socket_mode, 0777);
    accept("[control]\nsocket-mode = 0\n");
    assert_int_equal(config.socket_mode, 0);
    accept("[control]\nsocket-group = root\n");
    assert_int_equal(config.socket_group, 0);
    struct group *group = getgrnam("daemon");
    if (group) {
        gid_t gid = group->gr_gid;
        accept("[control]\nsocket-group = daemon\n");
        assert_int_equal(config.socket_group, gid);
    }
}

static void test_control_refused(void **state)
{
    static const char *const modes[] = {"", "rw", "0680", "01000", "-1", "0660 x", "0x1ff"};
    char text[64], reason[96];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        snprintf(text, sizeof(text), "[control]\nsocket-mode = %s\n", modes[i]);
        snprintf(reason, sizeof(reason), "\"%s\" must be an octal mode like 0660", modes[i]);
        refuse(text, 2, reason);
    }
    refuse("[control]\nsocket-group = no such group\n", 2,
           "there is no group \"no such group\" on this machine");
    refuse("[control]\nsocket-group =\n", 2, "there is no group \"\" on this machine");
}

static void test_limits(void **state)
{
    (void)state;
    accept("[limits]\nrunning = 2\n");
    assert_int_equal(config.running_per_uid, 2);
    refuse("[limits]\nrunning = -1\n", 2, "\"-1\" must be a number up to 4294967295");
    accept("[limits]\nqueued = 0\n");
    assert_int_equal(config.queued_per_uid, 0);
    accept("[limits]\nqueued = 4294967295\n");
    assert_int_equal(config.queued_per_uid, UINT32_MAX);
    refuse("[limits]\nqueued = 4294967296\n", 2,
           "\"4294967296\" must be a number up to 4294967295");
    refuse("[limits]\nqueued = many\n", 2, "\"many\" must be a number up to 4294967295");
    refuse("[limits]\nqueued =\n", 2, "\"\" must be a number up to 4294967295");
    refuse("[limits]\nqueued = -1\n", 2, "\"-1\" must be a number up to 4294967295");
}

static void test_commands(void **state)
{
    (void)state;
    accept("[commands]\ngrace = 0\n");
    assert_int_equal(config.grace_ms, 0);
    accept("[commands]\ngrace = 1m30s\n");
    assert_int_equal(config.grace_ms, 90000);
    accept("[commands]\ngrace = 2.5\n");
    assert_int_equal(config.grace_ms, 2500);
    accept("[commands]\ngrace = 4294967s\n");
    assert_int_equal(config.grace_ms, 4294967000u);
    refuse("[commands]\ngrace = 4294968s\n", 2, "\"4294968s\" must be a duration like 10s");
    refuse("[commands]\ngrace = soon\n", 2, "\"soon\" must be a duration like 10s");
    refuse("[commands]\ngrace =\n", 2, "\"\" must be a duration like 10s");
}

static void test_log(void **state)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
    char text[64];
    (void)state;
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof(text), "[log]\nlevel = %s\n", names[i]);
        accept(text);
        assert_int_equal(config.log_level, LOG_ERR + i);
    }
    refuse("[log]\nlevel = loud\n", 2,
           "\"loud\" must be error, warning, notice, info or debug");
    refuse("[log]\nlevel = Info\n", 2,
           "\"Info\" must be error, warning, notice, info or debug");
}

static void test_groups(void **state)
{
    (void)state;
    static const char none[] =
        "a group has at least 1 slot: to start nothing, pause it with aioctl group pause";
    accept(
        "[group default]\nslots = 8\n[group convert]\nslots = 1\n[group big]\nslots = 1000000");
    assert_groups("default=8 convert=1 big=1000000");
    accept("[group two words]\nslots = 1\n");
    assert_groups("two words=1");
    refuse("[group a]\nslots = 0\n", 2, none);
    refuse("[group a]\nslots = 00\n", 2, none);
    refuse("[group a]\nslots = 1000001\n", 2, "\"1000001\" must be a number from 1 to 1000000");
    refuse("[group a]\nslots = -1\n", 2, "\"-1\" must be a number from 1 to 1000000");
    refuse("[group a]\nslots =\n", 2, "\"\" must be a number from 1 to 1000000");
    refuse("[group a]\nslots = 1\ncolour = red\n", 3, "a group has no \"colour\", only slots");
    refuse("[group a\x1b[31m]\nslots = 1\n", 2, "a group's name holds no control characters");
    refuse("[group a\xe2\x80\xae]\nslots = 1\n", 2,
           "a group's name holds no control characters");
    refuse("[group a\xff]\nslots = 1\n", 2, "a group's name holds no control characters");
    refuse("[group ]\nslots = 1\n", 2, "a group's name has 1 to 64 bytes");
}

/* A name that is as long as a group's may be, whole; one byte more, with its reason. */
static void test_long_group_names(void **state)
{
    char text[160], expected[96];
    (void)state;
    for (int len = 40; len <= (int)LIMIT_NAME_BYTES; len++) {
        snprintf(text, sizeof(text), "[group %0*d]\nslots = 3\n", len, 1);
        snprintf(expected, sizeof(expected), "%0*d=3", len, 1);
        accept(text);
        assert_groups(expected);
    }
    snprintf(text, sizeof(text), "[group %0*d]\nslots = 3\n", (int)LIMIT_NAME_BYTES + 1, 1);
    refuse(text, 2, "a group's name has 1 to 64 bytes");
}

/* What is said later counts, as it does for every setting. */
static void test_twice(void **state)
{
    (void)state;
    accept("[limits]\nqueued = 1\nqueued = 2\n[log]\nlevel = debug\n[limits]\nqueued = 3\n");
    assert_int_equal(config.queued_per_uid, 3);
    assert_int_equal(config.log_level, LOG_DEBUG);
    accept("[group a]\nslots = 1\n[group b]\nslots = 2\n[group a]\nslots = 3\n");
    assert_groups("a=1 b=2 a=3"); /* applied in this order */
}

static void test_forms(void **state)
{
    (void)state;
    accept("[limits] \n  queued=7 ; a comment behind it\n[log]\nlevel:debug\n");
    assert_int_equal(config.queued_per_uid, 7);
    assert_int_equal(config.log_level, LOG_DEBUG);
    accept("\xef\xbb\xbf[limits]\r\nqueued = 8\r\n");
    assert_int_equal(config.queued_per_uid, 8);
    accept("[limits]\nqueued = 9"); /* no newline at the end */
    assert_int_equal(config.queued_per_uid, 9);
}

/* ---- what is refused ---- */

static void test_unknown(void **state)
{
    (void)state;
    refuse("[limits]\nqueue = 1\n", 2, "there is no setting \"queue\" in [limits]");
    refuse("\n\n[limit]\nqueued = 1\n", 4, "there is no setting \"queued\" in [limit]");
    refuse("[log]\nqueued = 1\n", 2, "there is no setting \"queued\" in [log]");
    refuse("queued = 1\n", 1, "there is no setting \"queued\" in []");
    refuse("[group]\nslots = 1\n", 2, "there is no setting \"slots\" in [group]");
    refuse("[Limits]\nqueued = 1\n", 2, "there is no setting \"queued\" in [Limits]");
}

static void test_syntax(void **state)
{
    static const char what[] = "neither [section] nor name = value";
    (void)state;
    refuse("[limits]\nqueued\n", 2, what);
    refuse("[limits\nqueued = 1\n", 1, what);
    refuse("# fine\n\nhello\n", 3, what);
}

/* The first one is told, with the line that it is in. */
static void test_first_refusal(void **state)
{
    (void)state;
    refuse("[limits]\nqueued = 1\nqueued = x\nqueued = y\n[log]\nlevel = z\n", 3,
           "\"x\" must be a number up to 4294967295");
    refuse("[limits]\nnonsense\nqueued = x\n", 2, "neither [section] nor name = value");
}

/* A comment or a value of any length is one line. */
static void test_long_lines(void **state)
{
    char text[600];
    (void)state;
    snprintf(text, sizeof(text), "# %0400d\n[limits]\nqueued = 5\n", 0);
    accept(text);
    assert_int_equal(config.queued_per_uid, 5);
    snprintf(text, sizeof(text), "[limits]\nqueued = 5 ; %0400d\n[log]\nlevel = loud\n", 0);
    refuse(text, 4, "\"loud\" must be error, warning, notice, info or debug");
}

/* ---- the file that is shipped ---- */

static char *shipped_text(void)
{
    struct buf b = BUF_INIT;
    char block[4096];
    size_t n;
    FILE *file = fopen(AIOD_CONF, "re");
    assert_non_null(file);
    while ((n = fread(block, 1, sizeof(block), file)) > 0)
        buf_append(&b, block, n);
    fclose(file);
    assert_non_null(buf_cstr(&b));
    return (char *)b.data;
}

/* "#[section]" or "#name = value": a setting that is switched off. Prose has a blank there. */
static bool shipped_is_setting(const char *line)
{
    return line[0] == '#' && (line[1] == '[' || islower((unsigned char)line[1]));
}

static void test_shipped_as_it_is(void **state)
{
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(config_read(&config, AIOD_CONF, true, &err), 0);
    assert_defaults();
    char *text = shipped_text();
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_int_equal(line[0], '#');
    free(text);
}

static void test_shipped_switched_on(void **state)
{
    static const char *const settings[] = {
        "[control]",  "socket-mode", "socket-group", "[limits]", "queued",          "running",
        "[commands]", "grace",       "[log]",        "level",    "[group default]", "slots"};
    struct buf b = BUF_INIT;
    (void)state;
    char *text = shipped_text();
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (shipped_is_setting(line))
            buf_printf(&b, "%s\n", line + 1);
    free(text);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        assert_non_null(strstr(buf_cstr(&b), settings[i]));
    accept(buf_cstr(&b));
    /* each is shown with its default, but for what has none */
    assert_int_equal(config.socket_mode, 0600);
    assert_int_not_equal(config.socket_group, (gid_t)-1);
    assert_int_equal(config.queued_per_uid, LIMIT_QUEUED_PER_UID);
    assert_int_equal(config.running_per_uid, 0);
    assert_int_equal(config.grace_ms, LIMIT_TERM_GRACE_MS);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_false(list_empty(&config.groups));
    buf_done(&b);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_no_file),
        TEST(test_directory),
        TEST(test_control),
        TEST(test_control_refused),
        TEST(test_limits),
        TEST(test_commands),
        TEST(test_log),
        TEST(test_groups),
        TEST(test_long_group_names),
        TEST(test_twice),
        TEST(test_forms),
        TEST(test_unknown),
        TEST(test_syntax),
        TEST(test_first_refusal),
        TEST(test_long_lines),
        TEST(test_shipped_as_it_is),
        TEST(test_shipped_switched_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
