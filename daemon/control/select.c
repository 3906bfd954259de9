/* SPDX-License-Identifier: MIT */
/*
 * Happy path: next takes the selectors one by one; a number, a range, "all" and a name that live
 * tasks have are answered from memory; any other name, and "last", await the newest finished one
 * in the store (found).
 */
#include "daemon/control/select.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "daemon/control/control.h"

struct select {
    struct aio_co co;
    struct call *call;               /* borrowed */
    const msgpack_object *selectors; /* borrowed: the first of them */
    uint32_t count;
    uint32_t at;               /* the next one */
    struct selection *ret;     /* borrowed: the caller's */
    struct store_call *lookup; /* counted */
    char *name;                /* owned: what is looked up; NULL: "last" */
    uint64_t live;             /* for "last": the newest live task, 0: none */
    bool single;
};

static struct aio_next select_next(struct aio_co *);
static struct aio_next select_look_up(struct select *);
static struct aio_next select_found(struct aio_co *);

void selection_done(struct selection *s)
{
    free(s->ids);
    *s = (struct selection){0};
}

static int selected_compare(const void *a, const void *b)
{
    const struct selected *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

void selection_sort(struct selection *s)
{
    if (s->len) /* qsort and bsearch take no NULL */
        qsort(s->ids, s->len, sizeof(*s->ids), selected_compare);
}

bool selection_has(const struct selection *s, uint64_t id)
{
    const struct selected wanted = {.id = id};
    return s->len && bsearch(&wanted, s->ids, s->len, sizeof(wanted), selected_compare);
}

static int selection_add(struct selection *s, uint64_t id, bool optional)
{
    if (s->len == LIMIT_SELECTED)
        return -EDQUOT;
    if (s->len == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        struct selected *ids = realloc(s->ids, cap * sizeof(*ids));
        if (!ids)
            return -ENOMEM;
        s->ids = ids;
        s->cap = cap;
    }
    s->ids[s->len++] = (struct selected){.id = id, .optional = optional};
    return 0;
}

static struct select *select_of(struct aio_co *co)
{
    return container_of(co, struct select, co);
}

static void select_done(struct aio_co *co)
{
    struct select *s = select_of(co);
    store_call_unref(s->lookup);
    free(s->name);
}

static const struct aio_co_fn select_fn = {"select", sizeof(struct select),
                                           STEP_INIT(select_next), select_done};

static struct aio_next select_fail(struct select *s, int r)
{
    if (r == -EDQUOT)
        return call_fail(s->call, &s->co, r, "more than %u tasks in one request",
                         LIMIT_SELECTED);
    return aio_raise(&s->co, r, NULL);
}

static struct aio_next select_add(struct select *s, uint64_t id, bool optional)
{
    int r = selection_add(s->ret, id, optional);
    return r < 0 ? select_fail(s, r) : aio_goto(&s->co, STEP(select_next));
}

static struct aio_next select_range(struct select *s, uint64_t first, uint64_t last)
{
    uint64_t newest = s->call->control->tasks->last_id;
    for (uint64_t id = first; id <= last && id <= newest; id++) {
        int r = selection_add(s->ret, id, true);
        if (r < 0)
            return select_fail(s, r);
    }
    return aio_goto(&s->co, STEP(select_next));
}

static struct aio_next select_all(struct select *s)
{
    const struct table *table = &s->call->control->tasks->table;
    for (size_t i = 0; i < table->len; i++) {
        const struct task *t = table->entries[i].task;
        if (!t || !call_may_see(s->call, t->uid))
            continue;
        int r = selection_add(s->ret, t->id, false);
        if (r < 0)
            return select_fail(s, r);
    }
    return aio_goto(&s->co, STEP(select_next));
}

/* "last" and a name mean tasks of the caller's own. */
static bool select_is_own(const struct select *s, const struct task *t)
{
    return t && t->uid == s->call->peer->uid;
}

static uint64_t select_last_live(const struct select *s)
{
    const struct table *table = &s->call->control->tasks->table;
    for (size_t i = table->len; i-- > 0;)
        if (select_is_own(s, table->entries[i].task))
            return table->entries[i].id;
    return 0;
}

/* One is asked for, and several are meant: says which. */
static struct aio_next select_ambiguous(struct select *s, size_t first)
{
    enum { SHOWN = 8 };
    const struct selection *ret = s->ret;
    char ids[SHOWN * 24] = "";
    size_t len = 0;
    for (size_t i = first; i < ret->len && i < first + SHOWN; i++)
        len += (size_t)snprintf(ids + len, sizeof(ids) - len, "%s%llu", i > first ? ", " : "",
                                (unsigned long long)ret->ids[i].id);
    return call_fail(s->call, &s->co, -EINVAL, "%zu live tasks are named %s: %s%s",
                     ret->len - first, s->name, ids, ret->len > first + SHOWN ? ", ..." : "");
}

/* Every live task of that name, the oldest first. */
static struct aio_next select_named(struct select *s)
{
    const struct table *table = &s->call->control->tasks->table;
    size_t first = s->ret->len;
    for (size_t i = 0; i < table->len; i++) {
        const struct task *t = table->entries[i].task;
        if (!select_is_own(s, t) || !t->name || strcmp(t->name, s->name) != 0)
            continue;
        int r = selection_add(s->ret, t->id, false);
        if (r < 0)
            return select_fail(s, r);
    }
    if (s->ret->len == first)
        return select_look_up(s);
    if (s->single && s->ret->len > first + 1)
        return select_ambiguous(s, first);
    return aio_goto(&s->co, STEP(select_next));
}

/* The newest finished one, of the name or of all. */
static struct aio_next select_look_up(struct select *s)
{
    struct tasks *tasks = s->call->control->tasks;
    store_call_unref(s->lookup);
    s->lookup = store_call_new(tasks->sched, STORE_PAGE);
    if (!s->lookup)
        return aio_raise(&s->co, -ENOMEM, NULL);
    s->lookup->op.filter = (struct store_filter){
        .before = UINT64_MAX, .uid = s->call->peer->uid, .name = s->name, .limit = 1};
    return aio_await(&s->co, store_call_start(s->lookup, tasks->store), STEP(select_found));
}

static struct aio_next select_found(struct aio_co *co)
{
    struct select *s = select_of(co);
    uint64_t finished = s->lookup->op.nrows ? s->lookup->op.rows[0].id : 0;
    uint64_t id = s->live > finished ? s->live : finished;
    if (id)
        return select_add(s, id, false);
    char quoted[BYTES_QUOTE_MAX];
    if (s->name)
        return call_fail(s->call, co, -ENOENT, "there is no task named %s",
                         bytes_quote(quoted, (struct bytes){s->name, strlen(s->name)}));
    return call_fail(s->call, co, -ENOENT, "there is no task yet");
}

static struct aio_next select_text(struct select *s, struct bytes text)
{
    if (bytes_equal(text, "all"))
        return select_all(s);
    free(s->name);
    s->name = NULL;
    s->live = 0;
    if (bytes_equal(text, "last")) {
        s->live = select_last_live(s);
        return select_look_up(s);
    }
    s->name = bytes_dup(text);
    if (!s->name)
        return aio_raise(&s->co, -ENOMEM, NULL);
    if (s->name[0] < '0' || s->name[0] > '9')
        return select_named(s);
    uint64_t first, last;
    char *dash = strchr(s->name, '-');
    if (dash)
        *dash = '\0';
    char quoted[BYTES_QUOTE_MAX];
    if (parse_u64(s->name, &first) < 0 || (dash && parse_u64(dash + 1, &last) < 0) ||
        (dash && last < first))
        return call_fail(s->call, &s->co, -EINVAL,
                         "%s names no task: give an id, a range like 3-9, last, all or a name",
                         bytes_quote(quoted, text));
    return dash ? select_range(s, first, last) : select_add(s, first, false);
}

/* A task that is named twice is meant once, where it was named first (asyncio.wait takes a
 * set). */
static int select_unique(struct selection *s)
{
    if (s->len < 2)
        return 0;
    _cleanup_(defs_freep) struct selected *sorted = malloc(s->len * sizeof(*sorted));
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, s->ids, s->len * sizeof(*sorted));
    qsort(sorted, s->len, sizeof(*sorted), selected_compare);
    size_t distinct = 1;
    for (size_t i = 1; i < s->len; i++)
        if (sorted[i].id != sorted[distinct - 1].id)
            sorted[distinct++] = sorted[i];
    size_t kept = 0;
    for (size_t i = 0; i < s->len; i++) {
        struct selected *found =
            bsearch(&s->ids[i], sorted, distinct, sizeof(*sorted), selected_compare);
        if (found->seen)
            continue;
        found->seen = true;
        s->ids[kept++] = s->ids[i];
    }
    s->len = kept;
    return 0;
}

static struct aio_next select_finish(struct select *s)
{
    int r = select_unique(s->ret);
    if (r < 0)
        return aio_raise(&s->co, r, NULL);
    if (s->single && s->ret->len == 0)
        return call_fail(s->call, &s->co, -ENOENT, "this means no task, and one is needed");
    if (s->single && s->ret->len > 1)
        return call_fail(s->call, &s->co, -EINVAL, "this means %zu tasks, and one is needed",
                         s->ret->len);
    return aio_return(&s->co, NULL);
}

static struct aio_next select_next(struct aio_co *co)
{
    struct select *s = select_of(co);
    if (s->at == s->count)
        return select_finish(s);
    const msgpack_object *o = &s->selectors[s->at++];
    if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        return select_add(s, o->via.u64, false);
    if (o->type == MSGPACK_OBJECT_STR || o->type == MSGPACK_OBJECT_BIN)
        return select_text(s, object_text(o));
    return call_fail(s->call, co, -EINVAL, "a task is named by an id or a text");
}

static struct aio_co *select_new(struct call *call, const msgpack_object *selectors,
                                 uint32_t count, struct selection *ret)
{
    struct aio_co *co = aio_co_new(&select_fn);
    if (!co)
        return NULL;
    struct select *s = select_of(co);
    s->call = call;
    s->selectors = selectors;
    s->count = count;
    s->ret = ret;
    return co;
}

struct aio_co *select_ids(struct call *call, const msgpack_object *selectors,
                          struct selection *ret)
{
    if (selectors->type == MSGPACK_OBJECT_ARRAY)
        return select_new(call, selectors->via.array.ptr, selectors->via.array.size, ret);
    return select_new(call, selectors, 1, ret);
}

struct aio_co *select_id(struct call *call, const msgpack_object *selector,
                         struct selection *ret)
{
    struct aio_co *co = select_new(call, selector, 1, ret);
    if (co)
        select_of(co)->single = true;
    return co;
}
