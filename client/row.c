/* SPDX-License-Identifier: MIT */
/*
 * row - a task's map turned into words, cell by cell.
 */
#include "client/row.h"

#include "client/escape.h"
#include "client/json.h"
#include "client/outcome.h"
#include "client/when.h"
#include "proto/unpack.h"

static void row_text(struct buf *b, struct bytes text)
{
    if (text.data)
        escape_text(b, text.data, text.len);
}

void row_state(struct buf *b, const msgpack_object *task)
{
    row_text(b, map_text(task, "state"));
    struct bytes outcome = map_text(task, "outcome");
    if (outcome.data)
        buf_puts(b, " ");
    row_text(b, outcome);
}

void row_since(struct buf *b, const msgpack_object *task, const struct view *view)
{
    char text[WHEN_MAX];
    uint64_t since = when_read(map_text(task, "since"));
    if (!since)
        return;
    if (!map_bool(task, "done", false)) {
        buf_puts(b, when_between(text, since, view->now_ns));
        return;
    }
    uint64_t ago = view->now_ns > since ? view->now_ns - since : 0;
    buf_printf(b, "%s ago", when_coarse(text, ago, false));
}

void row_position(struct buf *b, uint64_t position)
{
    static const char *const endings[] = {"th", "st", "nd", "rd"};
    if (position == 1) {
        buf_puts(b, "next");
        return;
    }
    bool teen = position % 100 >= 11 && position % 100 <= 13;
    uint64_t last = position % 10;
    buf_printf(b, "%llu%s", (unsigned long long)position, endings[last > 3 || teen ? 0 : last]);
}

static void row_slot(struct buf *b, const msgpack_object *task, const msgpack_object *awaits)
{
    struct bytes group = map_text(awaits, "group");
    if (!group.data)
        group = map_text(task, "group");
    buf_puts(b, "slot of ");
    row_text(b, group);
    uint64_t position = map_uint(awaits, "position", 0);
    if (map_bool(awaits, "paused", false)) {
        buf_puts(b, ", paused"); /* nobody is next */
    } else if (position) {
        buf_puts(b, ", ");
        row_position(b, position);
    }
}

static void row_process(struct buf *b, uint64_t pid)
{
    if (pid)
        buf_printf(b, "process %llu", (unsigned long long)pid);
    else
        buf_puts(b, "process");
}

void row_waiting(struct buf *b, const msgpack_object *task, const struct view *view)
{
    const msgpack_object *awaits = map_get(task, "awaits");
    struct bytes kind = map_text(awaits, "kind");
    uint64_t pid = map_uint(awaits, "pid", map_uint(task, "pid", 0));
    char text[WHEN_MAX];
    bool cancel = map_get(task, "cancel") != NULL;
    if (cancel)
        buf_puts(b, "asked to end");
    if (kind.data && cancel && !bytes_equal(kind, "cancel"))
        buf_puts(b, ", ");
    if (bytes_equal(kind, "timer")) {
        uint64_t until = when_read(map_text(awaits, "until"));
        buf_printf(b, "timer%s%s", until ? ", " : "",
                   until ? when_near(text, view, until) : "");
    } else if (bytes_equal(kind, "slot")) {
        row_slot(b, task, awaits);
    } else if (bytes_equal(kind, "process")) {
        row_process(b, pid);
    } else if (bytes_equal(kind, "store") || bytes_equal(kind, "spawner")) {
        buf_puts(b, "the ");
        row_text(b, kind);
    } else if (!bytes_equal(kind, "cancel")) {
        row_text(b, kind);
    }
}

bool row_has_result(const msgpack_object *task)
{
    const msgpack_object *result = map_get(task, "result");
    if (!result || result->type == MSGPACK_OBJECT_NIL)
        return false;
    if (!bytes_equal(map_text(task, "function"), "exec"))
        return true;
    return map_int(result, "exit", -1) != 0 && map_int(task, "result", -1) != 0;
}

static void row_result(struct buf *b, const msgpack_object *task)
{
    struct bytes text = map_text(task, "result");
    buf_puts(b, "result ");
    if (text.data)
        escape_text(b, text.data, text.len);
    else
        json_write(b, map_get(task, "result"));
}

void row_awaits(struct buf *b, const msgpack_object *task, const struct view *view)
{
    if (!map_bool(task, "done", false)) {
        row_waiting(b, task, view);
        return;
    }
    uint64_t retried = map_uint(task, "retried_as", 0);
    if (retried)
        buf_printf(b, "retried as %llu, ", (unsigned long long)retried);
    if (outcome_is(task, "failed")) {
        outcome_sentence(b, task);
        return;
    }
    if (row_has_result(task)) {
        row_result(b, task);
        return;
    }
    uint64_t started = when_read(map_text(task, "started"));
    uint64_t ended = when_read(map_text(task, "ended"));
    char text[WHEN_MAX];
    if (started && ended)
        buf_printf(b, "took %s", when_between(text, started, ended));
    else if (!started)
        buf_puts(b, "never started");
}

void row_title(struct buf *b, const msgpack_object *task)
{
    struct bytes name = map_text(task, "name");
    row_text(b, name);
    if (name.data)
        buf_puts(b, ": ");
    row_text(b, map_text(task, "title"));
}

void row_user(struct buf *b, const msgpack_object *task, const struct view *view)
{
    if (!map_get(task, "uid"))
        return;
    uint32_t uid = (uint32_t)map_uint(task, "uid", 0);
    const char *name = view->user_name ? view->user_name(uid) : NULL;
    if (name)
        row_text(b, (struct bytes){name, strlen(name)});
    else
        buf_printf(b, "%u", uid);
}

const char *row_style(const msgpack_object *task)
{
    struct bytes state = map_text(task, "state");
    if (bytes_equal(state, "RUNNING"))
        return "32"; /* green */
    if (bytes_equal(state, "SUSPENDED"))
        return "36"; /* cyan */
    if (bytes_equal(state, "PENDING"))
        return "2";                                /* faint */
    return outcome_is(task, "failed") ? "31" : ""; /* red */
}
