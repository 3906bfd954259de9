/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * screen - a terminal that one picture after the other is drawn on, without flicker, and that is
 * afterwards as it was before.
 *
 * The pictures are on the terminal's alternate screen, so nothing of them is left in its
 * history.
 */
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "base/buf.h"
#include "base/err.h"

struct screen {
    bool entered;
    bool keys;             /* stdin is a terminal: each key is read as it is struck, unseen */
    struct termios before; /* of stdin */
};

/* Whether stdout can be drawn on. */
bool screen_possible(void);
/* Both may be called twice. screen_leave says nothing of errors: there is nowhere to. */
int screen_enter(struct screen *, struct err *);
void screen_leave(struct screen *);
/* Draws a text in place of the one before; of what is higher than the terminal the last line
 * says how much is left out. */
int screen_draw(const struct buf *text, struct err *);
/* The same for a terminal with so many rows and into a buf; 0 rows: any number. */
void screen_render(struct buf *, const char *text, size_t len, size_t rows);
