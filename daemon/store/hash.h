/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * hash - SipHash-1-3 of bytes under a key: nobody who does not know the key can make
 * contents that collide. The result is kept in the database: never change it.
 */
#include <stddef.h>
#include <stdint.h>

enum { HASH_KEY_BYTES = 16 };

uint64_t hash_bytes(const uint8_t key[HASH_KEY_BYTES], const void *bytes, size_t len);
