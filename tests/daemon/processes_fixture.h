/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * processes_fixture - the table of processes on a real loop, between two fake spawners: the
 * first, and another one that may take its place.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/functions/processes.h"
#include "tests/daemon/fake_spawner.h"
#include "tests/support/real_loop.h"

struct fixture {
    struct real_loop real;
    struct processes ps;
    struct fake_spawner spawner; /* its id is 0xaa… */
    struct fake_spawner another; /* 0xbb… */
    unsigned lives;              /* calls of live */
    unsigned losses;             /* of lost */
    struct err lost;             /* the sentence of the last */
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* So many turns that everything which was said has been heard. */
void turns(struct fixture *);
/* Connects up to LIST, which is for the test to answer. */
void hello(struct fixture *, struct fake_spawner *);
void list_end(struct fixture *, struct fake_spawner *);
void connect_to(struct fixture *, struct fake_spawner *); /* both */
void disconnect(struct fixture *, struct fake_spawner *);

/* A process whose token is n, in the same bucket as every other. */
struct process *add(struct fixture *, uint8_t n, enum process_state);
/* One of an attempt that was recorded before a restart, with the spawner of that id. */
struct process *expect(struct fixture *, uint8_t n, uint8_t spawner);
int start(struct process *); /* process_start */

void assert_token(const struct record *, const struct process *);
/* The spawner has got this signal for it. */
void take_signal(struct fake_spawner *, const struct process *, int signo);
