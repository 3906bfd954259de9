/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * fake_spawner - the other end of the connection to the spawner, in the hands of a test.
 *
 * A socket of its own in a directory of its own; one thread: the test says something, lets the
 * loop turn, and reads what came. Nothing waits, because what is sent through a Unix socket is
 * there at once.
 */
#include <stdint.h>

#include "daemon/spawner/record.h"
#include "tests/daemon/scratch.h"

struct fake_spawner {
    struct scratch scratch;
    char path[96]; /* of the socket */
    int listener;
    int fd; /* of the connection; -1: none */
    uint8_t id[RECORD_UUID_BYTES];
    int fds[RECORD_MAX_FDS]; /* that came with the last record; owned */
    unsigned nfds;
};

void fake_spawner_init(struct fake_spawner *, uint8_t id);
void fake_spawner_done(struct fake_spawner *);
/* Takes the connection that waits; there must be one. */
void fake_spawner_accept(struct fake_spawner *);
/* Closes the connection, with what has not been read. */
void fake_spawner_drop(struct fake_spawner *);

/* The next record that came; fails the test when there is none or it is of another type. */
struct record fake_spawner_take(struct fake_spawner *, enum record_type);
/* Fails the test when something came. */
void fake_spawner_expect_nothing(struct fake_spawner *);

void fake_spawner_welcome(struct fake_spawner *);
void fake_spawner_list_end(struct fake_spawner *);
void fake_spawner_started(struct fake_spawner *, const uint8_t *token, uint32_t pid,
                          uint64_t start_ticks);
void fake_spawner_failed(struct fake_spawner *, const uint8_t *token, enum spawn_step, int err);
void fake_spawner_exited(struct fake_spawner *, const uint8_t *token, int status);
