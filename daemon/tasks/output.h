/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * output - the files that hold what commands print: their names, opening, reading, removal.
 *
 * output/NNN/ID.ATTEMPT.log holds both streams in true order; with `split` there are .out and
 * .err instead. NNN is ID / 1000, so that no directory grows without bound. Everything here
 * blocks: run it in the executor. No name comes from a user, only numbers.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum output_stream { OUTPUT_BOTH, OUTPUT_OUT, OUTPUT_ERR };

/* Opens (creates) the files of an attempt for appending; *ret_err is -1 unless split. The
 * caller owns the descriptors. 0 or a negative errno with a sentence. */
int output_create(int dir_fd, uint64_t id, uint32_t attempt, bool split, int *ret_out,
                  int *ret_err, struct err *);
/* Opens one for reading: >= 0, -ENOENT when that attempt has no such file, or a negative errno.
 */
int output_open(int dir_fd, uint64_t id, uint32_t attempt, enum output_stream);
/* Removes every file of the task, which has so many attempts on record, and its directory when
 * that leaves it empty. */
void output_remove(int dir_fd, uint64_t id, uint32_t attempts);
/* The last line that is not empty, without its newline and without what a carriage return
 * overwrote; at most size - 1 bytes, NUL-terminated. Returns its length, 0 for none. */
size_t output_last_line(int fd, char *line, size_t size);
/* Where the last n lines begin: an offset in bytes. Looks at no more than max_bytes from the end
 * and takes what it has then: a file of terabytes without a newline is one command away. */
uint64_t output_tail_offset(int fd, uint64_t lines, uint64_t max_bytes);
/* The path below the output directory, for people and for watching it. */
enum { OUTPUT_NAME_MAX = 64 };
void output_name(char name[OUTPUT_NAME_MAX], uint64_t id, uint32_t attempt, enum output_stream);
