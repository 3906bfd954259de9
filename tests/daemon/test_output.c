/* SPDX-License-Identifier: MIT */
/*
 * The files of output, in a directory of the test's own: names, making, reading, removing.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/defs.h"
#include "daemon/tasks/output.h"
#include "tests/daemon/scratch.h"

enum { BLOCK = 8192 }; /* what is read at a time */

static struct scratch scratch;

static int setup(void **state)
{
    (void)state;
    scratch_init(&scratch);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_done(&scratch);
    return 0;
}

static bool is_there(const char *name)
{
    struct stat st;
    return fstatat(scratch.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_name(uint64_t id, uint32_t attempt, enum output_stream stream,
                        const char *expected)
{
    char name[OUTPUT_NAME_MAX];
    output_name(name, id, attempt, stream);
    assert_string_equal(name, expected);
}

static void test_names(void **state)
{
    (void)state;
    assert_name(1, 1, OUTPUT_BOTH, "000/1.1.log");
    assert_name(999, 2, OUTPUT_OUT, "000/999.2.out");
    assert_name(1000, 3, OUTPUT_ERR, "001/1000.3.err");
    assert_name(1234567, 10, OUTPUT_BOTH, "1234/1234567.10.log");
    assert_name(UINT64_MAX, UINT32_MAX, OUTPUT_BOTH,
                "18446744073709551/18446744073709551615.4294967295.log");
}

/* ---- making ---- */

static void test_create_merged(void **state)
{
    int out = -1, err_fd = 99;
    struct err err = ERR_INIT;
    struct stat st;
    (void)state;
    assert_int_equal(output_create(scratch.fd, 7, 1, false, &out, &err_fd, &err), 0);
    assert_true(out >= 0);
    assert_int_equal(err_fd, -1);
    assert_int_equal(fcntl(out, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(out, F_GETFL) & (O_APPEND | O_ACCMODE), O_APPEND | O_WRONLY);
    assert_int_equal(fstat(out, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_true(is_there("000/7.1.log"));
    assert_false(is_there("000/7.1.out"));
    assert_false(is_there("000/7.1.err"));
    assert_int_equal(fstatat(scratch.fd, "000", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    close(out);
}

static void test_create_split(void **state)
{
    int out = -1, err_fd = -1;
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(output_create(scratch.fd, 1007, 2, true, &out, &err_fd, &err), 0);
    assert_true(out >= 0);
    assert_true(err_fd >= 0);
    assert_true(is_there("001/1007.2.out"));
    assert_true(is_there("001/1007.2.err"));
    assert_false(is_there("001/1007.2.log"));
    close(out);
    close(err_fd);
}

/* An attempt that is sent again goes on in the file that is there. */
static void test_create_again_appends(void **state)
{
    char text[16] = "";
    (void)state;
    for (int i = 0; i < 2; i++) {
        int out = -1, err_fd = -1;
        assert_int_equal(output_create(scratch.fd, 7, 1, false, &out, &err_fd, NULL), 0);
        assert_int_equal(write(out, i ? "b" : "a", 1), 1);
        close(out);
    }
    int fd = output_open(scratch.fd, 7, 1, OUTPUT_BOTH);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof(text)), 2);
    assert_string_equal(text, "ab");
    close(fd);
}

static void test_create_fails(void **state)
{
    int out = -7, err_fd = -7;
    struct err err = ERR_INIT;
    (void)state;
    /* a file where the directory should be */
    scratch_write(&scratch, "000", "");
    assert_int_equal(output_create(scratch.fd, 7, 1, false, &out, &err_fd, &err), -ENOTDIR);
    assert_string_equal(err.msg, "output/000/7.1.log: Not a directory");
    /* a link, which would lead elsewhere */
    assert_int_equal(mkdirat(scratch.fd, "001", 0700), 0);
    assert_int_equal(symlinkat("/dev/null", scratch.fd, "001/1000.1.log"), 0);
    assert_int_equal(output_create(scratch.fd, 1000, 1, false, &out, &err_fd, &err), -ELOOP);
    assert_string_equal(err.msg, "output/001/1000.1.log: Too many levels of symbolic links");
    assert_int_equal(out, -7);
    assert_int_equal(err_fd, -7);
}

/* The second file cannot be made: the first one's descriptor does not stay open. */
static void test_create_fails_in_between(void **state)
{
    int out = -7, err_fd = -7;
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(mkdirat(scratch.fd, "000", 0700), 0);
    assert_int_equal(mkdirat(scratch.fd, "000/7.1.err", 0700), 0);
    int next = dup(scratch.fd);
    close(next);
    assert_int_equal(output_create(scratch.fd, 7, 1, true, &out, &err_fd, &err), -EISDIR);
    assert_string_equal(err.msg, "output/000/7.1.err: Is a directory");
    int again = dup(scratch.fd);
    close(again);
    assert_int_equal(again, next);
    assert_int_equal(out, -7);
}

static void test_open(void **state)
{
    (void)state;
    assert_int_equal(output_open(scratch.fd, 7, 1, OUTPUT_BOTH), -ENOENT);
    assert_int_equal(mkdirat(scratch.fd, "000", 0700), 0);
    assert_int_equal(output_open(scratch.fd, 7, 1, OUTPUT_BOTH), -ENOENT);
    assert_int_equal(symlinkat("/dev/null", scratch.fd, "000/7.1.log"), 0);
    assert_int_equal(output_open(scratch.fd, 7, 1, OUTPUT_BOTH), -ELOOP);
}

/* ---- removing ---- */

static void make(uint64_t id, uint32_t attempt, bool split)
{
    int out = -1, err_fd = -1;
    assert_int_equal(output_create(scratch.fd, id, attempt, split, &out, &err_fd, NULL), 0);
    close(out);
    if (err_fd >= 0)
        close(err_fd);
}

static void test_remove(void **state)
{
    (void)state;
    make(7, 1, false);
    make(7, 2, true);
    make(7, 3, false);
    make(8, 1, false);
    make(7, 4, false);
    output_remove(scratch.fd, 7, 2);
    assert_false(is_there("000/7.1.log"));
    assert_false(is_there("000/7.2.out"));
    assert_false(is_there("000/7.2.err"));
    assert_false(is_there("000/7.3.log")); /* made ahead, and not on record any more */
    assert_true(is_there("000/7.4.log"));  /* attempts that were not asked for */
    assert_true(is_there("000/8.1.log"));
    output_remove(scratch.fd, 7, 4);
    assert_true(is_there("000/8.1.log"));
    output_remove(scratch.fd, 8, 1);
    assert_false(is_there("000")); /* the last one takes the directory with it */
    output_remove(scratch.fd, 8, 1);
    output_remove(scratch.fd, 9, 0);
}

/* ---- the last line ---- */

/* A descriptor of a file with these bytes. */
static int file_of(const void *bytes, size_t len)
{
    unlinkat(scratch.fd, "file", 0);
    int fd = openat(scratch.fd, "file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    return fd;
}

static void assert_last_line(const char *text, const char *expected)
{
    char line[160] = "untouched";
    int fd = file_of(text, strlen(text));
    size_t n = output_last_line(fd, line, sizeof(line));
    close(fd);
    assert_int_equal(n, strlen(expected));
    if (n)
        assert_string_equal(line, expected);
}

static void test_last_line(void **state)
{
    (void)state;
    assert_last_line("", "");
    assert_last_line("\n", "");
    assert_last_line(" \n\r\n\n", "");
    assert_last_line("one", "one");
    assert_last_line("one\n", "one");
    assert_last_line("one\ntwo", "two");
    assert_last_line("one\ntwo\n", "two");
    assert_last_line("one\ntwo\n\n  \n", "two");
    assert_last_line("one\r\ntwo\r\n", "two");
    assert_last_line("  indented \n", "  indented");
    /* a progress bar: what stands on the screen at the end */
    assert_last_line("1%\r50%\r100%", "100%");
    assert_last_line("1%\r50%\r100%\n", "100%");
    assert_last_line("start\n1%\r50%\r", "50%");
}

static void test_last_line_is_cut(void **state)
{
    char line[6];
    (void)state;
    int fd = file_of("first\nabcdefgh\n", 15);
    assert_int_equal(output_last_line(fd, line, sizeof(line)), 5);
    assert_string_equal(line, "abcde");
    assert_int_equal(output_last_line(fd, line, 1), 0);
    assert_string_equal(line, "");
    close(fd);
}

/* Only the end of a large file is read; a line that is longer than that is cut in front. */
static void test_last_line_of_a_large_file(void **state)
{
    struct buf b = BUF_INIT;
    char line[16];
    (void)state;
    for (int i = 0; i < BLOCK; i++)
        buf_puts(&b, "x");
    buf_puts(&b, "\nthe end\n");
    int fd = file_of(b.data, b.len);
    assert_int_equal(output_last_line(fd, line, sizeof(line)), 7);
    assert_string_equal(line, "the end");
    close(fd);
    fd = file_of(b.data, BLOCK);
    assert_int_equal(output_last_line(fd, line, sizeof(line)), sizeof(line) - 1);
    assert_string_equal(line, "xxxxxxxxxxxxxxx");
    close(fd);
    buf_done(&b);
}

/* ---- the tail ---- */

/* Where the last n lines begin, found from the front. */
static size_t naive_tail(const char *text, size_t len, uint64_t lines)
{
    size_t begins[64], n = 0;
    for (size_t at = 0; at < len; at++)
        if (at == 0 || text[at - 1] == '\n')
            begins[n++] = at;
    return lines >= n ? 0 : begins[n - lines];
}

/* Every text of up to ten characters that are a newline or not. */
static void test_tail_of_small_files(void **state)
{
    char text[16];
    (void)state;
    for (size_t len = 0; len <= 10; len++) {
        for (unsigned bits = 0; bits < 1u << len; bits++) {
            for (size_t i = 0; i < len; i++)
                text[i] = bits >> i & 1 ? '\n' : 'x';
            int fd = file_of(text, len);
            for (uint64_t lines = 1; lines <= len + 1; lines++)
                assert_int_equal(output_tail_offset(fd, lines, UINT64_MAX),
                                 naive_tail(text, len, lines));
            close(fd);
        }
    }
}

/* Lines that end just before, at and just behind the border of a block. */
static void test_tail_across_blocks(void **state)
{
    (void)state;
    for (size_t last = BLOCK - 2; last <= BLOCK + 2; last++) {
        struct buf b = BUF_INIT;
        buf_puts(&b, "first\nsecond\n");
        for (size_t i = 1; i < last; i++)
            buf_puts(&b, "x");
        buf_puts(&b, "\n");
        int fd = file_of(b.data, b.len);
        assert_int_equal(output_tail_offset(fd, 1, UINT64_MAX), 13);
        assert_int_equal(output_tail_offset(fd, 2, UINT64_MAX), 6);
        assert_int_equal(output_tail_offset(fd, 3, UINT64_MAX), 0);
        assert_int_equal(output_tail_offset(fd, UINT64_MAX, UINT64_MAX), 0);
        close(fd);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_create_merged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_again_appends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_fails_in_between, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_line_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_line_of_a_large_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tail_of_small_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tail_across_blocks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
