/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * unpack - reading MessagePack: objects, and maps of declared fields.
 *
 * A request's parameters are one map. Its fields are declared in a table; fields_read checks
 * names, types and ranges and says exactly which field is wrong, so that no method does.
 */
#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/value.h"

/* Bytes inside a message: borrowed, not NUL-terminated. data NULL: the field was not there. */
struct bytes {
    const char *data;
    size_t len;
};

/* An unpacked message and the memory of its objects (strings point into the bytes given). */
struct unpacked {
    msgpack_object root;
    msgpack_zone *zone; /* owned */
};
#define UNPACKED_INIT                                                                          \
    {                                                                                          \
        .zone = NULL                                                                           \
    }
/* Reads exactly one object of exactly len bytes. The bytes must stay while it is used. They
 * must have passed the scanner (or be our own). 0, -EBADMSG or -ENOMEM. */
int unpack(struct unpacked *ret, const void *bytes, size_t len);
void unpacked_done(struct unpacked *); /* may run twice, or on UNPACKED_INIT */

enum field_type {
    FIELD_BOOL,   /* bool */
    FIELD_UINT,   /* uint64_t, from an integer >= 0 */
    FIELD_INT,    /* int64_t */
    FIELD_NUMBER, /* double, from an integer or a float; NaN and infinity are refused */
    FIELD_TEXT,   /* struct bytes, from str or bin, without NUL bytes */
    FIELD_OBJECT, /* const msgpack_object *: anything */
    FIELD_ARRAY,  /* const msgpack_object *: an array */
    FIELD_TEXTS,  /* const msgpack_object *: an array of str or bin without NUL bytes */
    FIELD_IDS,    /* const msgpack_object *: an array of integers >= 1 */
    FIELD_MAP,    /* const msgpack_object *: a map */
};

struct field {
    const char *name;
    enum field_type type;
    bool required;
    size_t offset; /* of the member in the struct that is filled */
    uint64_t max;  /* 0: no bound. UINT, INT, NUMBER: the largest value; TEXT: bytes; arrays,
                      maps: objects, pairs */
};

enum { FIELDS_MAX = 64 }; /* in one table */

/* Fills the struct at out, which the caller has zeroed or set to defaults, from a map (NULL:
 * the empty one); what it borrows lives as long as the message. nil counts as not there. 0, or
 * -EINVAL with the field's name in the sentence: missing, of the wrong type, too large, there
 * twice, or unknown (the known names are listed); *out may then be filled in part. */
int fields_read(const struct field *fields, size_t n, const msgpack_object *map, void *out,
                struct err *);

/* For readers of replies: the object under key in a map, or NULL (also when map is NULL or no
 * map). */
const msgpack_object *map_get(const msgpack_object *map, const char *key);
/* With a default where the key is missing or of another type. */
uint64_t map_uint(const msgpack_object *map, const char *key, uint64_t otherwise);
int64_t map_int(const msgpack_object *map, const char *key, int64_t otherwise);
double map_number(const msgpack_object *map, const char *key, double otherwise);
bool map_bool(const msgpack_object *map, const char *key, bool otherwise);
struct bytes map_text(const msgpack_object *map, const char *key); /* str or bin */
/* The bytes of a str or bin; data NULL for anything else and for NULL. */
struct bytes object_text(const msgpack_object *);

/* A NUL-terminated copy, owned by the caller; NULL without memory. */
char *bytes_dup(struct bytes);
bool bytes_equal(struct bytes, const char *text);
/* Between quotes, for a sentence: control characters, quotes and what is not UTF-8 as \xNN, cut
 * with "..." where it is long. Returns text. */
enum { BYTES_QUOTE_MAX = 96 };
char *bytes_quote(char text[BYTES_QUOTE_MAX], struct bytes);
