/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * grid - a plain table of short texts: columns as wide as their widest cell, two blanks between
 * them.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { GRID_COLUMNS_MAX = 8 };

struct grid {
    size_t columns;
    bool right[GRID_COLUMNS_MAX]; /* numbers stand right */
    struct buf text;              /* owned: the cells, each with a NUL behind it */
    size_t cells;
};

/* Adds the next cell, row by row; escaped. data NULL: an empty one. */
void grid_add(struct grid *, const char *data, size_t len);
void grid_puts(struct grid *, const char *text);
void grid_number(struct grid *, unsigned long long n);
/* Writes the rows and frees the grid. */
void grid_render(struct buf *, struct grid *);
