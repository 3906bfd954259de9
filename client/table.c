/* SPDX-License-Identifier: MIT */
/*
 * table - tasks are sorted into groups, become rows of cells in one text, and are then laid
 * out.
 *
 * In order: table_group (a stable order by group, first come first), table_fold (runs of equal
 * PENDING tasks become one row), table_measure, table_fit, and the printing.
 */
#include "client/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "client/alike.h"
#include "client/escape.h"
#include "client/row.h"
#include "client/utf8.h"
#include "proto/unpack.h"

enum table_column {
    COLUMN_ID,
    COLUMN_STATE,
    COLUMN_SINCE,
    COLUMN_GROUP,
    COLUMN_USER,
    COLUMN_ATTEMPT,
    COLUMN_AWAITS,
    COLUMN_TASK,
    COLUMNS_N
};

enum {
    TABLE_ID_MIN = 5,   /* columns of the terminal: rows stand in from their headings */
    TABLE_FLEX_MIN = 8, /* what AWAITS and TASK keep on the narrowest terminal */
    TABLE_FOLD_MIN = 3, /* rows; fewer are not folded into one */
};

static const char *const table_names[COLUMNS_N] = {
    [COLUMN_ID] = "ID",
    [COLUMN_STATE] = "STATE",
    [COLUMN_SINCE] = "SINCE",
    [COLUMN_GROUP] = "GROUP",
    [COLUMN_USER] = "USER",
    [COLUMN_ATTEMPT] = "ATTEMPT",
    [COLUMN_AWAITS] = "AWAITS / RESULT",
    [COLUMN_TASK] = "TASK",
};

struct table_cell {
    size_t at; /* in the text of all cells */
    size_t len;
    size_t width;
};

struct table_row {
    const msgpack_object *first; /* borrowed */
    const msgpack_object *last;  /* differs from first in a row that stands for several */
    size_t tasks;                /* how many it stands for */
    struct table_cell cells[COLUMNS_N];
};

struct table {
    const struct table_input *input;
    const struct view *view;
    struct buf text;        /* of all cells */
    struct table_row *rows; /* owned */
    size_t nrows;
    size_t widths[COLUMNS_N];
    bool shown[COLUMNS_N];
};

/* Rows for tasks[0..n), all of one group. */
static void table_fold(struct table *t, const msgpack_object *const *tasks, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t run = 1;
        while (!t->input->wide && i + run < n && alike(tasks[i], tasks[i + run]))
            run++;
        if (run < TABLE_FOLD_MIN)
            run = 1;
        const msgpack_object *first = tasks[i];
        const msgpack_object *last = tasks[i + run - 1];
        bool rising = map_uint(first, "id", 0) <= map_uint(last, "id", 0);
        t->rows[t->nrows++] = (struct table_row){
            .first = rising ? first : last,
            .last = rising ? last : first,
            .tasks = run,
        };
        i += run;
    }
}

/* All rows, group by group in the order in which the groups first appear. */
static int table_group(struct table *t)
{
    size_t n = t->input->n;
    _cleanup_(defs_freep) const msgpack_object **left = calloc(n, sizeof(*left));
    _cleanup_(defs_freep) const msgpack_object **group = calloc(n, sizeof(*group));
    t->rows = calloc(n, sizeof(*t->rows));
    if (!left || !group || !t->rows)
        return -ENOMEM;
    memcpy(left, t->input->tasks, n * sizeof(*left));
    while (n > 0) {
        size_t nleft = 0;
        size_t ngroup = 0;
        const msgpack_object *first = left[0];
        for (size_t i = 0; i < n; i++) {
            if (alike_text(left[i], first, "group"))
                group[ngroup++] = left[i];
            else
                left[nleft++] = left[i];
        }
        table_fold(t, group, ngroup);
        n = nleft;
    }
    return 0;
}

static void table_id(struct buf *b, const struct table_row *row)
{
    uint64_t first = map_uint(row->first, "id", 0);
    uint64_t last = map_uint(row->last, "id", 0);
    buf_printf(b, "%llu", (unsigned long long)first);
    if (row->tasks > 1) /* a dash, as in a range of ids, only where it means exactly these */
        buf_printf(b, "%s%llu", last - first + 1 == row->tasks ? "-" : "…",
                   (unsigned long long)last);
}

static void table_awaits(struct buf *b, const struct table_row *row, const struct view *view)
{
    row_awaits(b, row->first, view);
    uint64_t last = map_uint(map_get(row->last, "awaits"), "position", 0);
    if (row->tasks > 1 && last > 0 && !alike_paused(row->first)) {
        buf_puts(b, " to ");
        row_position(b, last);
    }
}

static void table_title(struct buf *b, const struct table_row *row)
{
    if (row->tasks == 1) {
        row_title(b, row->first);
        return;
    }
    struct bytes program = alike_program(row->first);
    buf_printf(b, "%zu × ", row->tasks);
    escape_text(b, program.data, program.len);
}

static void table_cell(struct buf *b, const struct table_row *row, enum table_column column,
                       const struct view *view)
{
    struct bytes group;
    switch (column) {
    case COLUMN_ID:
        table_id(b, row);
        break;
    case COLUMN_STATE:
        row_state(b, row->first);
        break;
    case COLUMN_SINCE:
        if (row->tasks == 1)
            row_since(b, row->first, view);
        break;
    case COLUMN_GROUP:
        group = map_text(row->first, "group");
        escape_text(b, group.data, group.len);
        break;
    case COLUMN_USER:
        row_user(b, row->first, view);
        break;
    case COLUMN_ATTEMPT:
        buf_printf(b, "%llu", (unsigned long long)map_uint(row->first, "attempt", 0));
        break;
    case COLUMN_AWAITS:
        table_awaits(b, row, view);
        break;
    case COLUMN_TASK:
        table_title(b, row);
        break;
    case COLUMNS_N:
        break;
    }
}

/* Which columns say something. */
static void table_choose(struct table *t)
{
    for (size_t c = 0; c < COLUMNS_N; c++)
        t->shown[c] = true;
    t->shown[COLUMN_GROUP] = t->input->wide;
    t->shown[COLUMN_ATTEMPT] = t->input->wide;
    t->shown[COLUMN_USER] = t->input->wide;
    for (size_t i = 1; i < t->nrows; i++) {
        if (map_uint(t->rows[i].first, "uid", 0) != map_uint(t->rows[0].first, "uid", 0))
            t->shown[COLUMN_USER] = true;
    }
}

/* Writes every cell and finds how wide each column would like to be. */
static void table_measure(struct table *t)
{
    for (size_t c = 0; c < COLUMNS_N; c++)
        t->widths[c] = strlen(table_names[c]);
    t->widths[COLUMN_ID] = TABLE_ID_MIN;
    for (size_t i = 0; i < t->nrows; i++) {
        for (size_t c = 0; c < COLUMNS_N; c++) {
            struct table_cell *cell = &t->rows[i].cells[c];
            cell->at = t->text.len;
            if (t->shown[c])
                table_cell(&t->text, &t->rows[i], (enum table_column)c, t->view);
            if (!buf_ok(&t->text))
                return;
            cell->len = t->text.len - cell->at;
            cell->width =
                cell->len ? utf8_width((char *)t->text.data + cell->at, cell->len) : 0;
            if (cell->width > t->widths[c])
                t->widths[c] = cell->width;
        }
    }
}

/* Cuts the last two columns to what the terminal leaves them. */
static void table_fit(struct table *t)
{
    if (t->view->width == 0 || t->input->wide)
        return;
    size_t used = 2; /* between AWAITS and TASK */
    for (size_t c = 0; c < COLUMN_AWAITS; c++)
        used += t->shown[c] ? t->widths[c] + 2 : 0;
    size_t room = t->view->width > used ? t->view->width - used : 0;
    size_t *awaits = &t->widths[COLUMN_AWAITS];
    size_t *task = &t->widths[COLUMN_TASK];
    if (room < TABLE_FLEX_MIN * 2)
        room = TABLE_FLEX_MIN * 2;
    if (*awaits + *task <= room)
        return;
    size_t share = room * 3 / 5; /* AWAITS says what is new; a title is known to who gave it */
    size_t left_by_task = *task < room ? room - *task : 0;
    size_t most = share > left_by_task ? share : left_by_task;
    if (*awaits > most)
        *awaits = most;
    *task = room - *awaits;
}

static void table_pad(struct buf *b, size_t n)
{
    buf_printf(b, "%*s", (int)n, "");
}

static void table_trim(struct buf *b)
{
    while (b->len > 0 && b->data[b->len - 1] == ' ')
        b->len--;
}

static void table_print_row(struct buf *b, const struct table *t, const struct table_row *row)
{
    const char *style = t->view->color ? row_style(row->first) : "";
    for (size_t c = 0; c < COLUMNS_N; c++) {
        if (!t->shown[c])
            continue;
        const struct table_cell *cell = &row->cells[c];
        if (c == COLUMN_ID)
            table_pad(b, t->widths[c] - cell->width);
        bool styled = c == COLUMN_STATE && style[0];
        if (styled)
            buf_printf(b, "\x1b[%sm", style);
        size_t used =
            utf8_cut(b, (const char *)t->text.data + cell->at, cell->len, t->widths[c]);
        if (styled)
            buf_puts(b, "\x1b[0m");
        size_t pad = c == COLUMN_ID ? 2 : t->widths[c] - used + 2;
        if (c < COLUMN_TASK)
            table_pad(b, pad);
    }
    table_trim(b);
    buf_puts(b, "\n");
}

static void table_print_names(struct buf *b, const struct table *t)
{
    table_pad(b, t->widths[COLUMN_ID] - strlen(table_names[COLUMN_ID]));
    for (size_t c = 0; c < COLUMNS_N; c++) {
        if (!t->shown[c])
            continue;
        size_t used = utf8_cut(b, table_names[c], strlen(table_names[c]), t->widths[c]);
        if (c < COLUMN_TASK)
            table_pad(b, c == COLUMN_ID ? 2 : t->widths[c] - used + 2);
    }
    buf_puts(b, "\n");
}

static const msgpack_object *table_find_group(const msgpack_object *groups, struct bytes name)
{
    if (!groups || groups->type != MSGPACK_OBJECT_ARRAY)
        return NULL;
    for (uint32_t i = 0; i < groups->via.array.size; i++) {
        struct bytes other = map_text(&groups->via.array.ptr[i], "name");
        if (other.len == name.len && other.data && memcmp(other.data, name.data, name.len) == 0)
            return &groups->via.array.ptr[i];
    }
    return NULL;
}

/* "convert · slots 3 of 4 · paused" */
static void table_print_heading(struct buf *b, const struct table *t,
                                const msgpack_object *task)
{
    struct bytes name = map_text(task, "group");
    if (t->view->color)
        buf_puts(b, "\x1b[1m");
    if (name.data)
        escape_text(b, name.data, name.len);
    else
        buf_puts(b, "no group");
    const msgpack_object *group = name.data ? table_find_group(t->input->groups, name) : NULL;
    if (group)
        buf_printf(b, " · slots %llu of %llu", (unsigned long long)map_uint(group, "held", 0),
                   (unsigned long long)map_uint(group, "slots", 0));
    if (map_bool(group, "paused", false))
        buf_puts(b, " · paused");
    buf_puts(b, t->view->color ? "\x1b[0m\n" : "\n");
}

static void table_print(struct buf *b, const struct table *t)
{
    table_print_names(b, t);
    for (size_t i = 0; i < t->nrows; i++) {
        const struct table_row *row = &t->rows[i];
        if (!t->input->wide &&
            (i == 0 || !alike_text(row->first, t->rows[i - 1].first, "group")))
            table_print_heading(b, t, row->first);
        table_print_row(b, t, row);
    }
}

int table_render(struct buf *b, const struct table_input *input, const struct view *view)
{
    if (input->n == 0)
        return 0;
    struct table t = {.input = input, .view = view};
    int r = table_group(&t);
    if (r == 0) {
        table_choose(&t);
        table_measure(&t);
        table_fit(&t);
        if (buf_ok(&t.text))
            table_print(b, &t);
        else
            r = -ENOMEM;
    }
    free(t.rows);
    buf_done(&t.text);
    return r;
}
