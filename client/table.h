/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * table - many tasks as people read them: groups, columns that fit the terminal, equal rows as
 * one.
 */
#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "client/view.h"

struct table_input {
    const msgpack_object *const *tasks; /* borrowed */
    size_t n;
    const msgpack_object *groups; /* for the headings: the array of `status`; may be NULL */
    bool wide;                    /* nothing cut or collapsed; with group, user and attempt */
};

/* Appends the rows, under their headings; nothing when there are none. 0 or -ENOMEM. */
int table_render(struct buf *, const struct table_input *, const struct view *);
