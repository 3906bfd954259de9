/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * notation - MessagePack as a text that a test can write and read: JSON with single quotes.
 *
 *     {'argv': ['ls', '-l'], 'umask': 18, 'seconds': 0.5, 'split': true, 'name': null}
 *
 * Texts hold any byte but a quote and NUL; they become str where they are UTF-8, else bin.
 */
#include "base/value.h"
#include "proto/unpack.h"

/* What was read, and the bytes that it points into. */
struct notation {
    struct value *bytes;
    struct unpacked unpacked;
};

/* The object; fails the test when the text is not of the form. */
const msgpack_object *notation_read(struct notation *, const char *text);
void notation_done(struct notation *);

/* A value of its own; value_unref it. */
struct value *notation_value(const char *text);
/* The same notation of an object or of a value's bytes; bin as 'b:…'. Owned by the caller. */
char *notation_of(const msgpack_object *);
char *notation_of_value(const struct value *);

/* Compares what an object is with its notation. */
void assert_object(const msgpack_object *, const char *expected);
void assert_value(const struct value *, const char *expected);
