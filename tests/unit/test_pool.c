/* SPDX-License-Identifier: MIT */
/*
 * The pool gives back what it was given, zeroed, to who wants the same size, and no more of it than
 * it may keep.
 */
#include "daemon/aio/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int teardown(void **state)
{
    (void)state;
    aio_pool_drain(); /* or AddressSanitizer would tell */
    return 0;
}

static void assert_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], 0);
}

static void test_every_size_is_zeroed_and_whole(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        void *taken[700];
        for (size_t size = 1; size < 700; size++) {
            taken[size] = aio_pool_take(size);
            assert_non_null(taken[size]);
            assert_zero(taken[size], size);
        }
        for (size_t size = 1; size < 700; size++)
            memset(taken[size], 0xff, size); /* to its last byte: sanitizers watch */
        for (size_t size = 1; size < 700; size++)
            aio_pool_give(taken[size], size);
    }
    aio_pool_give(NULL, 24);
}

static void test_a_block_is_not_given_twice(void **state)
{
    (void)state;
    uint8_t *a = aio_pool_take(100), *b = aio_pool_take(100);
    aio_pool_give(a, 100);
    aio_pool_give(b, 100);
    uint8_t *c = aio_pool_take(100), *d = aio_pool_take(100);
    assert_ptr_not_equal(c, d);
    memset(c, 1, 100);
    assert_zero(d, 100);
    aio_pool_give(c, 100);
    aio_pool_give(d, 100);
}

/* What does not fit is freed: many more than it may keep, then all of them again. */
static void test_many(void **state)
{
    enum { MANY = 20000, SIZE = 200 };
    static void *taken[MANY];
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            taken[i] = aio_pool_take(SIZE);
            assert_non_null(taken[i]);
            memset(taken[i], 0xff, SIZE);
        }
        for (int i = 0; i < MANY; i++)
            aio_pool_give(taken[i], SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_size_is_zeroed_and_whole, teardown),
        cmocka_unit_test_teardown(test_a_block_is_not_given_twice, teardown),
        cmocka_unit_test_teardown(test_many, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
