/* SPDX-License-Identifier: MIT */
/*
 * test_store_hash - the hash that the database keeps is SipHash-1-3, today and later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/store/hash.h"

/* Values from another implementation, with a key of zeros. */
static void test_known_values(void **state)
{
    (void)state;
    static const uint8_t key[HASH_KEY_BYTES];
    uint8_t counting[64];
    for (size_t i = 0; i < sizeof(counting); i++)
        counting[i] = (uint8_t)i;
    assert_true(hash_bytes(key, "a", 1) == UINT64_C(0x407448d2b89b1813));
    assert_true(hash_bytes(key, "abcdefg", 7) == UINT64_C(0x6db12aae9070f506));
    assert_true(hash_bytes(key, "PATH=/usr/bin", 13) == UINT64_C(0xe644c28edd1e0e60));
    assert_true(hash_bytes(key, counting, 64) == UINT64_C(0x75e05fd5bbc870c6));
}

static void test_the_key_matters(void **state)
{
    (void)state;
    uint8_t key[HASH_KEY_BYTES] = {0};
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = 1;
        assert_true(hash_bytes(key, "abcdefg", 7) != UINT64_C(0x6db12aae9070f506));
        key[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_the_key_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
