/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * defs - the handful of language helpers that everything here uses.
 *
 * Cleanup attributes are for what lives inside one function (or one step of a
 * coroutine): nothing local survives a suspension.
 */
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of the given type that embeds *ptr as its member. */
#define container_of(ptr, type, member)                                                        \
    ((type *)(void *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

/* Returns the pointer and sets it to NULL: ownership moves on, cleanup is disarmed. */
#define TAKE_PTR(ptr)                                                                          \
    ({                                                                                         \
        __typeof__(ptr) take_ptr_ = (ptr);                                                     \
        (ptr) = NULL;                                                                          \
        take_ptr_;                                                                             \
    })

/* The same for a descriptor: sets it to -1. */
#define TAKE_FD(fd)                                                                            \
    ({                                                                                         \
        int take_fd_ = (fd);                                                                   \
        (fd) = -1;                                                                             \
        take_fd_;                                                                              \
    })

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Defines fn##p(type **), for _cleanup_, from fn(type *). */
#define DEFINE_CLEANUP(type, fn)                                                               \
    static inline void fn##p(type **ptr)                                                       \
    {                                                                                          \
        if (*ptr)                                                                              \
            (void)fn(*ptr);                                                                    \
    }

void defs_freep(void *ptr); /* frees *(void **)ptr */
void defs_closep(int *fd);  /* closes *fd unless it is negative */

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
