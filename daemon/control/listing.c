/* SPDX-License-Identifier: MIT */
/*
 * begin → live looks through the live tasks in memory, LISTING_STEP at a time, and keeps what a
 * page can hold → then awaits the page of finished ones from the store → merge.
 *
 * The live ones come first, so that one that ends meanwhile is in one of the two; where it is in
 * both, the store is right.
 */
#include "daemon/control/listing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "daemon/control/control.h"
#include "daemon/tasks/view.h"

enum { LISTING_STEP = 20000 }; /* records in one step: a millisecond or two */

/* A live task as it was shown. */
struct listed {
    uint64_t id;
    size_t end; /* in rendered: behind it */
};

struct listing_frame {
    struct aio_co co;
    struct call *call; /* borrowed, likewise */
    struct listing *page;
    uint64_t from;       /* where the walk goes on, exclusive */
    struct buf rendered; /* owned: the live ones that were found */
    struct listed *live; /* owned: one more than a page holds */
    uint32_t nlive;
    bool live_more;          /* there are more than these */
    struct store_call *read; /* counted; NULL: DONE is not asked for */
};

static struct aio_next listing_live(struct aio_co *);
static struct aio_next listing_merge(struct aio_co *);

static struct listing_frame *listing_of(struct aio_co *co)
{
    return container_of(co, struct listing_frame, co);
}

static void listing_frame_done(struct aio_co *co)
{
    struct listing_frame *f = listing_of(co);
    buf_done(&f->rendered);
    free(f->live);
    store_call_unref(f->read);
}

bool listing_full(const struct listing *page)
{
    return page->count == page->limit || page->count >= LIMIT_REPLY_TASKS ||
           page->tasks.len >= LIMIT_REPLY_TASKS_BYTES;
}

static struct aio_next listing_stored(struct listing_frame *f)
{
    struct call *call = f->call;
    struct aio_co *co = &f->co;
    struct tasks *tasks = call->control->tasks;
    const struct query *q = f->page->query;
    if (!q->states[TASK_DONE])
        return listing_merge(co);
    f->read = store_call_new(tasks->sched, STORE_PAGE);
    if (!f->read)
        return aio_raise(co, -ENOMEM, NULL);
    uint32_t limit = f->page->limit;
    f->read->op.filter = (struct store_filter){
        .before = f->page->from ? f->page->from : UINT64_MAX,
        .uid = call_may_see(call, UINT32_MAX) ? UINT32_MAX : call->peer->uid,
        .name = q->name,
        .group = q->group,
        .since_ns = q->since_ns,
        .until_ns = q->until_ns,
        .outcomes = q->outcomes,
        /* one more than is shown tells whether there is another page */
        .limit = limit < LIMIT_PAGE_ROWS ? limit + 1 : LIMIT_PAGE_ROWS,
    };
    return aio_await(co, store_call_start(f->read, tasks->store), STEP(listing_merge));
}

/* ---- live ---- */

static bool listing_live_full(const struct listing_frame *f)
{
    return f->nlive > f->page->limit || f->nlive > LIMIT_REPLY_TASKS ||
           f->rendered.len > LIMIT_REPLY_TASKS_BYTES;
}

static void listing_look(struct listing_frame *f, struct task *t)
{
    if (!call_may_see(f->call, t->uid) || !query_wants_live(f->page->query, t))
        return;
    view_live(&f->rendered, t);
    f->live[f->nlive++] = (struct listed){t->id, f->rendered.len};
}

static struct aio_next listing_begin(struct aio_co *co)
{
    struct listing_frame *f = listing_of(co);
    return f->page->query->live ? listing_live(co) : listing_stored(f);
}

static struct aio_next listing_live(struct aio_co *co)
{
    struct listing_frame *f = listing_of(co);
    const struct table *table = &f->call->control->tasks->table;
    bool rising = f->page->rising;
    size_t at = rising ? table_lower_bound(table, f->from + 1)
                       : table_lower_bound(table, f->from ? f->from : UINT64_MAX);
    for (unsigned n = 0; n < LISTING_STEP; n++) {
        if (rising ? at == table->len : at == 0)
            return listing_stored(f);
        const struct table_entry *entry = &table->entries[rising ? at++ : --at];
        f->from = entry->id;
        if (entry->task)
            listing_look(f, entry->task);
        f->live_more = listing_live_full(f);
        if (f->live_more)
            return listing_stored(f);
    }
    return aio_yield(co, STEP(listing_live));
}

/* ---- both ---- */

static void listing_take_live(struct listing_frame *f, uint32_t i)
{
    size_t begin = i ? f->live[i - 1].end : 0;
    buf_append(&f->page->tasks, f->rendered.data + begin, f->live[i].end - begin);
}

static struct aio_next listing_merge(struct aio_co *co)
{
    struct listing_frame *f = listing_of(co);
    struct listing *page = f->page;
    const struct store_task *rows = f->read ? f->read->op.rows : NULL;
    uint32_t nrows = f->read ? f->read->op.nrows : 0;
    bool rows_more = f->read && f->read->op.more;
    uint32_t live = 0, row = 0;
    uint64_t last = 0;
    bool more = false;
    while (live < f->nlive || row < nrows) {
        /* where one of the two gave only so many, the other one's next may come behind more */
        more = listing_full(page) || (row == nrows && rows_more) ||
               (live == f->nlive && f->live_more);
        if (more)
            break;
        if (live < f->nlive && (row == nrows || f->live[live].id > rows[row].id)) {
            last = f->live[live].id;
            listing_take_live(f, live++);
        } else {
            last = rows[row].id;
            live += live < f->nlive && f->live[live].id == last;
            view_finished(&page->tasks, &rows[row++]);
        }
        page->count++;
    }
    if (more || rows_more || f->live_more)
        page->next = last;
    if (!buf_ok(&f->rendered))
        page->tasks.failed = true;
    return aio_return(co, NULL);
}

static const struct aio_co_fn listing_fn = {"listing", sizeof(struct listing_frame),
                                            STEP_INIT(listing_begin), listing_frame_done};

struct aio_co *listing_page(struct call *call, struct listing *page)
{
    struct aio_co *co = aio_co_new(&listing_fn);
    if (!co)
        return NULL;
    struct listing_frame *f = listing_of(co);
    f->call = call;
    f->page = page;
    f->from = page->from;
    uint32_t room = page->limit < LIMIT_REPLY_TASKS ? page->limit : LIMIT_REPLY_TASKS;
    f->live = calloc(room + 1, sizeof(*f->live));
    return f->live ? co : aio_co_free(co);
}
