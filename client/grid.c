/* SPDX-License-Identifier: MIT */
#include "client/grid.h"

#include <string.h>

#include "client/escape.h"
#include "client/utf8.h"

void grid_add(struct grid *g, const char *data, size_t len)
{
    if (data)
        escape_text(&g->text, data, len);
    buf_append(&g->text, "", 1);
    g->cells++;
}

void grid_puts(struct grid *g, const char *text)
{
    grid_add(g, text, strlen(text));
}

void grid_number(struct grid *g, unsigned long long n)
{
    buf_printf(&g->text, "%llu", n);
    grid_add(g, NULL, 0);
}

static void grid_pad(struct buf *b, size_t n)
{
    buf_printf(b, "%*s", (int)n, "");
}

static void grid_print(struct buf *b, const struct grid *g,
                       const size_t widths[GRID_COLUMNS_MAX])
{
    const char *cell = (const char *)g->text.data;
    for (size_t i = 0; i < g->cells; i++) {
        size_t column = i % g->columns;
        size_t len = strlen(cell);
        size_t pad = widths[column] - utf8_width(cell, len);
        bool last = column + 1 == g->columns;
        if (g->right[column])
            grid_pad(b, pad);
        buf_append(b, cell, len);
        if (!last)
            grid_pad(b, g->right[column] ? 2 : pad + 2);
        while (last && b->len > 0 && b->data[b->len - 1] == ' ')
            b->len--;
        buf_puts(b, last ? "\n" : "");
        cell += len + 1;
    }
}

void grid_render(struct buf *b, struct grid *g)
{
    size_t widths[GRID_COLUMNS_MAX] = {0};
    const char *cell = (const char *)g->text.data;
    for (size_t i = 0; i < g->cells && buf_ok(&g->text); i++) {
        size_t width = utf8_width(cell, strlen(cell));
        if (width > widths[i % g->columns])
            widths[i % g->columns] = width;
        cell += strlen(cell) + 1;
    }
    if (buf_ok(&g->text))
        grid_print(b, g, widths);
    b->failed |= g->text.failed;
    buf_done(&g->text);
}
