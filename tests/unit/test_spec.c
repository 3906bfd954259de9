/* SPDX-License-Identifier: MIT */
/*
 * test_spec - a spec written by aiod is what the spawner reads; nothing else is taken for one.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/limits.h"
#include "daemon/spawner/spec.h"
#include "daemon/spawner/spec_read.h"

static const char *const some_argv[] = {"cmd", "", "a b"};
static const char *const some_env[] = {"A=1", "B=", "PATH=/bin"};
static const uint32_t some_groups[] = {7, 4294967294u};

static struct spec some_spec(void)
{
    return (struct spec){.argv = some_argv,
                         .argc = 3,
                         .env = some_env,
                         .envc = 3,
                         .cwd = "/tmp",
                         .input = "/dev/zero",
                         .groups = some_groups,
                         .ngroups = 2,
                         .umask = 027};
}

static void test_round_trip(void **state)
{
    (void)state;
    struct spec spec = some_spec();
    struct spec_view v;
    int fd = spec_to_memfd(&spec);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GET_SEALS),
                     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    assert_int_equal(spec_view_open(&v, fd), 0);
    close(fd);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(v.argv[i], some_argv[i]);
        assert_string_equal(v.env[i], some_env[i]);
    }
    assert_null(v.argv[3]);
    assert_null(v.env[3]);
    assert_string_equal(v.cwd, "/tmp");
    assert_string_equal(v.input, "/dev/zero");
    assert_int_equal(v.ngroups, 2);
    assert_memory_equal(v.groups, some_groups, sizeof(some_groups));
    assert_int_equal(v.umask, 027);
    spec_view_done(&v);
}

static void test_smallest(void **state)
{
    (void)state;
    struct spec spec = {.argv = some_argv, .argc = 1, .cwd = "/"};
    struct spec_view v;
    int fd = spec_to_memfd(&spec);
    assert_true(fd >= 0);
    assert_int_equal(spec_view_open(&v, fd), 0);
    close(fd);
    assert_null(v.argv[1]);
    assert_null(v.env[0]);
    assert_string_equal(v.input, "");
    assert_int_equal(v.ngroups, 0);
    spec_view_done(&v);
}

static void test_setenv(void **state)
{
    (void)state;
    const char *const env[] = {"A=1", "AB=2", "A=3", "C=4"};
    struct spec spec = {.argv = some_argv, .argc = 1, .env = env, .envc = 4, .cwd = "/"};
    char replaced[] = "A=new";
    char added[] = "D=5";
    struct spec_view v;
    int fd = spec_to_memfd(&spec);
    assert_int_equal(spec_view_open(&v, fd), 0);
    close(fd);
    spec_view_setenv(&v, replaced);
    spec_view_setenv(&v, added);
    const char *const expected[] = {"AB=2", "C=4", "A=new", "D=5"};
    assert_int_equal(v.envc, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(v.env[i], expected[i]);
    assert_null(v.env[4]);
    spec_view_done(&v);
}

static void test_writer_refuses(void **state)
{
    (void)state;
    const char *const no_name[] = {"=x"};
    const char *const no_value[] = {"x"};
    struct spec s = some_spec();
    s.argc = 0;
    assert_int_equal(spec_to_memfd(&s), -EINVAL);
    s = some_spec();
    s.cwd = "tmp";
    assert_int_equal(spec_to_memfd(&s), -EINVAL);
    s = some_spec();
    s.input = "in";
    assert_int_equal(spec_to_memfd(&s), -EINVAL);
    s = some_spec();
    s.umask = 01000;
    assert_int_equal(spec_to_memfd(&s), -EINVAL);
    s = some_spec();
    s.env = no_name;
    s.envc = 1;
    assert_int_equal(spec_to_memfd(&s), -EINVAL);
    s.env = no_value;
    assert_int_equal(spec_to_memfd(&s), -EINVAL);
    s = some_spec();
    s.ngroups = LIMIT_GROUPS + 1;
    assert_int_equal(spec_to_memfd(&s), -E2BIG);
    s = some_spec();
    s.argc = UINT32_MAX;
    assert_int_equal(spec_to_memfd(&s), -E2BIG);
}

static void test_writer_size_limit(void **state)
{
    (void)state;
    char *large = malloc(LIMIT_SPAWN_SPEC_BYTES + 1);
    assert_non_null(large);
    memset(large, 'x', LIMIT_SPAWN_SPEC_BYTES);
    large[LIMIT_SPAWN_SPEC_BYTES] = '\0';
    const char *argv[] = {large};
    struct spec spec = {.argv = argv, .argc = 1, .cwd = "/"};
    assert_int_equal(spec_to_memfd(&spec), -E2BIG);
    /* head, the argument and its NUL, "/" and its NUL, "" : exactly the limit */
    large[LIMIT_SPAWN_SPEC_BYTES - sizeof(struct spec_head) - 4] = '\0';
    int fd = spec_to_memfd(&spec);
    struct spec_view v;
    assert_true(fd >= 0);
    assert_int_equal(spec_view_open(&v, fd), 0);
    assert_int_equal(v.size, LIMIT_SPAWN_SPEC_BYTES);
    spec_view_done(&v);
    close(fd);
    free(large);
}

/* ---- what the reader refuses ---- */

enum { ALL_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

static int open_bytes(const void *bytes, size_t size, int seals)
{
    struct spec_view v;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    int r = spec_view_open(&v, fd);
    if (r == 0)
        spec_view_done(&v);
    close(fd);
    return r;
}

static const char some_strings[] = "cmd\0A=1\0/tmp\0"; /* and the NUL of "" */
static const uint32_t some_group = 5;

struct bytes {
    struct spec_head head;
    char rest[sizeof(some_strings) + sizeof(some_group)];
};

static struct bytes sound_bytes(void)
{
    struct bytes b = {.head = {.magic = SPEC_MAGIC,
                               .argc = 1,
                               .envc = 1,
                               .groups = 1,
                               .umask = 022,
                               .bytes = sizeof(some_strings)}};
    memcpy(b.rest, some_strings, sizeof(some_strings));
    memcpy(b.rest + sizeof(some_strings), &some_group, sizeof(some_group));
    return b;
}

/* bytes of a struct bytes that are in the file: it may have padding behind them */
enum { SOUND_SIZE = sizeof(struct spec_head) + sizeof(some_strings) + sizeof(some_group) };

static void test_reader_takes_the_sound_one(void **state)
{
    (void)state;
    struct bytes b = sound_bytes();
    assert_int_equal(open_bytes(&b, SOUND_SIZE, ALL_SEALS), 0);
}

static void test_reader_wants_seals(void **state)
{
    (void)state;
    struct bytes b = sound_bytes();
    struct spec_view v;
    assert_int_equal(open_bytes(&b, SOUND_SIZE, 0), -EPERM);
    assert_int_equal(open_bytes(&b, SOUND_SIZE, ALL_SEALS & ~F_SEAL_WRITE), -EPERM);
    assert_int_equal(open_bytes(&b, SOUND_SIZE, ALL_SEALS & ~F_SEAL_SHRINK), -EPERM);
    assert_int_equal(open_bytes(&b, SOUND_SIZE, ALL_SEALS & ~F_SEAL_GROW), -EPERM);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(spec_view_open(&v, fd), -EPERM);
    close(fd);
}

static void test_reader_wants_the_size(void **state)
{
    (void)state;
    struct bytes b = sound_bytes();
    char longer[SOUND_SIZE + 1] = {0};
    for (size_t size = 0; size < SOUND_SIZE; size++)
        assert_int_equal(open_bytes(&b, size, ALL_SEALS), -EINVAL);
    memcpy(longer, &b, SOUND_SIZE);
    assert_int_equal(open_bytes(longer, sizeof(longer), ALL_SEALS), -EINVAL);
    char *large = calloc(1, LIMIT_SPAWN_SPEC_BYTES + 1);
    assert_non_null(large);
    assert_int_equal(open_bytes(large, LIMIT_SPAWN_SPEC_BYTES + 1, ALL_SEALS), -E2BIG);
    free(large);
}

/* Each word of the head, with values that wrap and that do not. */
static void test_reader_wants_the_counts(void **state)
{
    (void)state;
    const uint32_t wrong[] = {
        0,           2,          3,          100,        0x3fffffff,    0x40000000,
        0x40000001u, 0x7fffffff, 0x80000000, UINT32_MAX, UINT32_MAX - 1};
    struct bytes sound = sound_bytes();
    for (size_t word = 0; word < sizeof(sound.head) / 4; word++) {
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
            struct bytes b = sound;
            uint32_t old;
            memcpy(&old, (char *)&b.head + word * 4, 4);
            memcpy((char *)&b.head + word * 4, &wrong[i], 4);
            if (wrong[i] == old || (word == 4 && wrong[i] <= 0777))
                continue; /* any umask up to 0777 is one */
            assert_int_equal(open_bytes(&b, SOUND_SIZE, ALL_SEALS), -EINVAL);
        }
    }
}

static void test_reader_wants_the_strings(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "cmd\0A=1\0/tmpX\0\0", /* longer than said */
        "cmd\0A=1\0tmpx\0",    /* relative directory */
        "cmd\0A=1\0\0tmp\0",   /* none, and a relative input */
        "cmd\0A1=\0/tm\0\0p",  /* no NUL at the end */
        "cmd\0=A1\0/tmp\0",    /* a variable without a name */
        "cmd\0A11\0/tmp\0",    /* without a value */
        "cmd\0A=1\0/t\0\0p\0", /* more strings than said */
        "cmd.A=1\0/tmp\0",     /* fewer */
        "cmd\0A=1\0/tm\0i",    /* a relative input, no NUL */
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct bytes b = sound_bytes();
        memcpy(b.rest, wrong[i], sizeof(some_strings));
        assert_int_equal(open_bytes(&b, SOUND_SIZE, ALL_SEALS), -EINVAL);
    }
}

/* Any one byte changed: refused or taken, never read beyond its end. */
static void test_reader_survives_any_byte(void **state)
{
    (void)state;
    struct bytes sound = sound_bytes();
    for (size_t at = 0; at < SOUND_SIZE; at++) {
        for (int value = 0; value < 256; value += 15) {
            struct bytes b = sound;
            ((unsigned char *)&b)[at] = (unsigned char)value;
            int r = open_bytes(&b, SOUND_SIZE, ALL_SEALS);
            assert_true(r == 0 || r == -EINVAL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_smallest),
        cmocka_unit_test(test_setenv),
        cmocka_unit_test(test_writer_refuses),
        cmocka_unit_test(test_writer_size_limit),
        cmocka_unit_test(test_reader_takes_the_sound_one),
        cmocka_unit_test(test_reader_wants_seals),
        cmocka_unit_test(test_reader_wants_the_size),
        cmocka_unit_test(test_reader_wants_the_counts),
        cmocka_unit_test(test_reader_wants_the_strings),
        cmocka_unit_test(test_reader_survives_any_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
