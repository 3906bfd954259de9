/* SPDX-License-Identifier: MIT */
/*
 * hash - SipHash with one round a word and three at the end.
 */
#include "daemon/store/hash.h"

#include <endian.h>
#include <string.h>

struct hash_state {
    uint64_t a, b, c, d;
};

static uint64_t hash_load(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return le64toh(word);
}

static uint64_t hash_rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void hash_round(struct hash_state *h)
{
    h->a += h->b;
    h->b = hash_rotate(h->b, 13) ^ h->a;
    h->a = hash_rotate(h->a, 32);
    h->c += h->d;
    h->d = hash_rotate(h->d, 16) ^ h->c;
    h->a += h->d;
    h->d = hash_rotate(h->d, 21) ^ h->a;
    h->c += h->b;
    h->b = hash_rotate(h->b, 17) ^ h->c;
    h->c = hash_rotate(h->c, 32);
}

static void hash_word(struct hash_state *h, uint64_t word)
{
    h->d ^= word;
    hash_round(h);
    h->a ^= word;
}

uint64_t hash_bytes(const uint8_t key[HASH_KEY_BYTES], const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t k0 = hash_load(key), k1 = hash_load(key + 8);
    struct hash_state h = {
        k0 ^ UINT64_C(0x736f6d6570736575), /* the four words are SipHash's own */
        k1 ^ UINT64_C(0x646f72616e646f6d),
        k0 ^ UINT64_C(0x6c7967656e657261),
        k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8)
        hash_word(&h, hash_load(p));
    uint8_t tail[8] = {0};
    if (left)
        memcpy(tail, p, left);
    tail[7] = (uint8_t)len;
    hash_word(&h, hash_load(tail));
    h.c ^= 0xff;
    for (int i = 0; i < 3; i++)
        hash_round(&h);
    return h.a ^ h.b ^ h.c ^ h.d;
}
