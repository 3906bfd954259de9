/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * alike - which neighbours in the status table say the same, so that one row can stand for them.
 */
#include <msgpack.h>
#include <stdbool.h>

#include "proto/unpack.h"

/* Whether b, the row after a, says nothing new: the same program of the same user, further back
 * in the line for a slot. */
bool alike(const msgpack_object *a, const msgpack_object *b);
/* Whether the texts under key are the same; missing ones are. */
bool alike_text(const msgpack_object *a, const msgpack_object *b, const char *key);
/* The program of a title: its first word. */
struct bytes alike_program(const msgpack_object *task);
/* Its group is paused: nobody is next in its line. */
bool alike_paused(const msgpack_object *task);
