/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * posted - a call that one thread hands to another: loop.call_soon_threadsafe's handle.
 *
 * Embedded in what it is about, so that posting allocates nothing and cannot fail. It stays in
 * place until fn runs and is not touched by the one who carries it afterwards.
 */
#include "base/list.h"

struct posted {
    struct list node; /* the carrier's */
    void (*fn)(void *arg);
    void *arg;
};
