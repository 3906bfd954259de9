/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * fuzz - what a fuzz target is made of: the entry point of libFuzzer's, and a check that holds
 * in every build (assert(3) is compiled out of some).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FUZZ_CHECK(condition)                                                                  \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);            \
            abort();                                                                           \
        }                                                                                      \
    } while (0)
