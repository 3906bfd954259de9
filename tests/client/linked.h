/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * linked - a link whose other end is a fake daemon, in a thread of its own, over a socketpair.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/link.h"
#include "fake.h"

struct linked {
    struct link link;
    struct fake fake;
    int fd; /* the fake's */
    pthread_t thread;
    bool good; /* the link kept to the protocol */
    bool started;
    struct buf notified; /* for tests that note something */
};

int linked_setup(void **state);
int linked_teardown(void **state);
/* Lets the fake answer. */
void linked_start(struct linked *, fake_handler_fn *handler);
/* Queues a request without parameters; returns its msgid. */
uint32_t linked_ask(struct linked *, const char *method);
/* Waits for its answer, which has to be this text. */
void linked_check(struct linked *, uint32_t msgid, const char *expected);
