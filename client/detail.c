/* SPDX-License-Identifier: MIT */
/*
 * detail - the rows in their order, one function each; a row without content is never begun.
 */
#include "client/detail.h"

#include <string.h>

#include "base/parse.h"
#include "client/escape.h"
#include "client/outcome.h"
#include "client/python.h"
#include "client/row.h"
#include "client/timeline.h"
#include "client/when.h"
#include "proto/unpack.h"

static void detail_label(struct buf *b, const char *label)
{
    buf_printf(b, "  %-10s  ", label);
}

static void detail_text(struct buf *b, struct bytes text)
{
    if (text.data)
        escape_text(b, text.data, text.len);
}

/* "task 188  DONE failed  exit 1" */
static void detail_head(struct buf *b, const msgpack_object *task, const struct view *view)
{
    struct bytes name = map_text(task, "name");
    buf_printf(b, "task %llu  ", (unsigned long long)map_uint(task, "id", 0));
    const char *style = view->color ? row_style(task) : "";
    if (style[0])
        buf_printf(b, "\x1b[%sm", style);
    row_state(b, task);
    if (style[0])
        buf_puts(b, "\x1b[0m");
    if (name.data) {
        buf_puts(b, "  ");
        detail_text(b, name);
    }
    size_t before = b->len;
    buf_puts(b, "  ");
    row_awaits(b, task, view);
    if (b->len == before + 2)
        b->len = before;
    buf_puts(b, "\n");
}

static void detail_item(struct buf *b, bool *begun, const char *label)
{
    if (!*begun)
        detail_label(b, label);
    else
        buf_printf(b, "        %s  ", label);
    *begun = true;
}

/* Whose it is, and where it runs. */
static void detail_place(struct buf *b, const msgpack_object *task, const struct view *view)
{
    bool begun = false;
    struct bytes group = map_text(task, "group");
    struct bytes cwd = map_text(task, "cwd");
    uint64_t env = map_uint(task, "env_count", 0);
    if (!cwd.data)
        cwd = map_text(map_get(task, "args"), "cwd");
    if (group.data) {
        detail_item(b, &begun, "group");
        detail_text(b, group);
    }
    if (map_get(task, "uid")) {
        detail_item(b, &begun, "user");
        row_user(b, task, view);
    }
    if (cwd.data) {
        detail_item(b, &begun, "cwd");
        detail_text(b, cwd);
    }
    if (env > 0) {
        detail_item(b, &begun, "env");
        buf_printf(b, "%llu variables%s", (unsigned long long)env,
                   map_get(task, "env") ? "" : " (--env)");
    }
    if (begun)
        buf_puts(b, "\n");
}

/* What a script on asyncio would see of it. */
static void detail_asyncio(struct buf *b, const msgpack_object *task)
{
    bool done = map_bool(task, "done", false);
    bool cancelled = map_bool(task, "cancelled", false);
    detail_label(b, "asyncio");
    buf_printf(b, "done() %s    cancelled() %s    ", done ? "True" : "False",
               cancelled ? "True" : "False");
    if (!done || cancelled) {
        buf_printf(b, "result() raises %s\n", done ? "CancelledError" : "InvalidStateError");
        return;
    }
    if (outcome_is(task, "failed")) {
        buf_puts(b, "result() raises    exception() ");
        python_error(b, map_get(task, "error"));
    } else {
        buf_puts(b, "result() ");
        python_object(b, map_get(task, "result"));
        buf_puts(b, "    exception() None");
    }
    buf_puts(b, "\n");
}

/* Begins one more item of the row `used`. */
static void detail_used_item(struct buf *b, bool *begun)
{
    if (!*begun)
        detail_label(b, "used");
    else
        buf_puts(b, " · ");
    *begun = true;
}

static void detail_used(struct buf *b, const msgpack_object *task)
{
    bool begun = false;
    char size[FORMAT_SIZE_MAX];
    const msgpack_object *usage = map_get(task, "usage");
    const msgpack_object *output = map_get(task, "output");
    const msgpack_object *loop = map_get(task, "loop") ? map_get(task, "loop") : usage;
    if (map_get(usage, "user_s")) {
        detail_used_item(b, &begun);
        buf_printf(b, "cpu %.2f s",
                   map_number(usage, "user_s", 0.0) + map_number(usage, "system_s", 0.0));
    }
    uint64_t peak_kib = map_uint(usage, "maxrss_kib", 0);
    if (peak_kib > 0) {
        detail_used_item(b, &begun);
        buf_printf(b, "memory peak %s", format_size(size, peak_kib * 1024));
    }
    if (map_get(output, "out")) {
        detail_used_item(b, &begun);
        buf_printf(b, "output %s",
                   format_size(size, map_uint(output, "out", 0) + map_uint(output, "err", 0)));
    }
    if (map_get(loop, "steps")) {
        detail_used_item(b, &begun);
        buf_printf(b, "loop: %llu steps, longest %llu µs",
                   (unsigned long long)map_uint(loop, "steps", 0),
                   (unsigned long long)map_uint(loop, "longest_us", 0));
    }
    if (begun)
        buf_puts(b, "\n");
}

static void detail_cancel(struct buf *b, const msgpack_object *task, const struct view *view)
{
    const msgpack_object *cancel = map_get(task, "cancel");
    char text[WHEN_MAX];
    uint64_t at = when_read(map_text(cancel, "at"));
    if (!cancel)
        return;
    detail_label(b, "cancel");
    buf_puts(b, "asked");
    if (at)
        buf_printf(b, " %s", when_near(text, view, at));
    if (map_get(cancel, "uid") && map_uint(cancel, "uid", 0) != map_uint(task, "uid", 0))
        buf_printf(b, " by uid %llu", (unsigned long long)map_uint(cancel, "uid", 0));
    buf_puts(b, "\n");
}

/* The task it was made from, and the one made from it. */
static void detail_retry(struct buf *b, const msgpack_object *task)
{
    unsigned long long of = map_uint(task, "retry_of", 0);
    unsigned long long as = map_uint(task, "retried_as", 0);
    if (!of && !as)
        return;
    detail_label(b, "retry");
    if (of)
        buf_printf(b, "of %llu", of);
    if (as)
        buf_printf(b, "%sretried as %llu", of ? ", " : "", as);
    buf_puts(b, "\n");
}

/* The label stands before the first line alone. */
static void detail_output_line(struct buf *b, const char *label, bool *begun, struct bytes line)
{
    detail_label(b, *begun ? "" : label);
    detail_text(b, line);
    buf_puts(b, "\n");
    *begun = true;
}

/* Lines given as one text, or as an array of them. */
static void detail_lines(struct buf *b, const char *label, const msgpack_object *lines)
{
    bool begun = false;
    struct bytes text = object_text(lines);
    while (text.len > 0) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t n = end ? (size_t)(end - text.data) : text.len;
        detail_output_line(b, label, &begun, (struct bytes){text.data, n});
        size_t used = end ? n + 1 : n;
        text = (struct bytes){text.data + used, text.len - used};
    }
    if (!lines || lines->type != MSGPACK_OBJECT_ARRAY)
        return;
    for (uint32_t i = 0; i < lines->via.array.size; i++)
        detail_output_line(b, label, &begun, object_text(&lines->via.array.ptr[i]));
}

/* What one is likely to want next. */
static void detail_next(struct buf *b, const msgpack_object *task)
{
    unsigned long long id = map_uint(task, "id", 0);
    bool exec = bytes_equal(map_text(task, "function"), "exec");
    bool done = map_bool(task, "done", false);
    const char *dot = "";
    detail_label(b, "next");
    if (exec && map_get(task, "started")) {
        buf_printf(b, "aioctl logs %s%llu", done ? "" : "-f ", id);
        dot = " · ";
    }
    if (row_has_result(task)) {
        buf_printf(b, "%saioctl result %llu", dot, id);
        dot = " · ";
    }
    if (!done) {
        buf_printf(b, "%saioctl await %llu · aioctl cancel %llu\n", dot, id, id);
        return;
    }
    if (!outcome_is(task, "ok") && !map_get(task, "retried_as")) {
        buf_printf(b, "%saioctl retry %llu", dot, id);
        dot = " · ";
    }
    buf_printf(b, "%saioctl rm %llu\n", dot, id);
}

void detail_render(struct buf *b, const msgpack_object *task, const struct view *view)
{
    detail_head(b, task, view);
    detail_label(b, "coroutine");
    python_call(b, task);
    buf_puts(b, "\n");
    detail_place(b, task, view);
    detail_asyncio(b, task);
    timeline_render(b, task, view);
    detail_cancel(b, task, view);
    detail_retry(b, task);
    detail_used(b, task);
    detail_lines(b, "output", map_get(task, "tail"));
    detail_lines(b, "env", map_get(task, "env"));
    detail_next(b, task);
}
