/* SPDX-License-Identifier: MIT */
/*
 * thread - the queue between the loop and SQLite.
 *
 * In time order: store_queue (loop thread) appends and wakes; the store thread takes what
 * waits, at most LIMIT_STORE_BATCH_OPS operations or STORE_BATCH_BYTES, runs them as one batch,
 * posts them back as one chain, makes a step of the pages under way, checkpoints if the WAL is
 * large, and takes what came meanwhile. It suspends only in thread_wait: for lazy operations
 * alone until the first has waited LIMIT_STORE_LAZY_MS, after the last batch for a quiet second
 * (then upkeep_quiet), else without end and without timeout. Operations in the queue belong to
 * the store; the store thread only reads the values they point to, and counts no references.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "daemon/store/internal.h"

void store_queue(struct store *s, struct store_op *op)
{
    op->err = 0;
    op->refused = false;
    op->rows = NULL;
    op->nrows = 0;
    op->more = false;
    op->page_from = 0;
    op->page_bytes = 0;
    op->page_span = NULL;
    pthread_mutex_lock(&s->mutex);
    bool first = s->queued++ == 0;
    bool wake = first || s->queued == LIMIT_STORE_BATCH_OPS;
    list_push_back(&s->queue, &op->node);
    if (!op->lazy) {
        wake |= !s->urgent;
        s->urgent = true;
    } else if (first) {
        s->lazy_until = clock_awake() + LIMIT_STORE_LAZY_MS * NSEC_PER_MSEC;
    }
    pthread_mutex_unlock(&s->mutex);
    if (wake) /* not under the lock: the thread would wake only to wait for it */
        pthread_cond_signal(&s->wake);
}

uint32_t store_queue_length(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    uint32_t queued = s->queued;
    pthread_mutex_unlock(&s->mutex);
    return queued;
}

bool store_thread_waited_for(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    bool waited_for = s->queued > 0 || s->closing;
    pthread_mutex_unlock(&s->mutex);
    return waited_for;
}

/* Runs on the loop thread; op is the first of a chain without a head. An operation is its
 * caller's as soon as its done function is called: it may be freed or queued again there. */
static void thread_deliver(void *arg)
{
    struct store_op *op = arg;
    while (op) {
        struct list *next = list_empty(&op->node) ? NULL : op->node.next;
        list_remove(&op->node);
        op->done(op);
        op = next ? container_of(next, struct store_op, node) : NULL;
    }
}

static void thread_post(struct store *s, struct list *done)
{
    if (list_empty(done))
        return;
    struct list *first = done->next;
    list_remove(done);
    struct store_op *op = container_of(first, struct store_op, node);
    op->posted.fn = thread_deliver;
    op->posted.arg = op;
    s->post(s->post_ctx, &op->posted);
}

static bool thread_ready(const struct store *s)
{
    if (s->closing || s->urgent || !list_empty(&s->pages))
        return true;
    return s->queued >= LIMIT_STORE_BATCH_OPS ||
           (s->queued > 0 && clock_awake() >= s->lazy_until);
}

/* Locked. True: there is work, or the end; false: it was quiet for long enough. */
static bool thread_wait(struct store *s)
{
    while (!thread_ready(s)) {
        if (s->queued == 0 && !s->wal_dirty) {
            pthread_cond_wait(&s->wake, &s->mutex);
            continue;
        }
        uint64_t until = s->queued > 0 ? s->lazy_until : s->quiet_at;
        struct timespec at = {.tv_sec = (time_t)(until / NSEC_PER_SEC),
                              .tv_nsec = (long)(until % NSEC_PER_SEC)};
        if (pthread_cond_timedwait(&s->wake, &s->mutex, &at) == ETIMEDOUT && s->queued == 0)
            return false;
    }
    return true;
}

static size_t thread_op_bytes(const struct store_op *op)
{
    const struct value *a = NULL, *b = NULL;
    if (op->verb == STORE_SUBMIT) {
        a = op->task->args;
        b = op->task->env;
    } else if (op->verb == STORE_END) {
        a = op->end.result;
        b = op->end.usage;
    }
    return (a ? a->len : 0) + (b ? b->len : 0);
}

/* Locked. Moves what makes one batch to batch, and pages to those under way. */
static void thread_take(struct store *s, struct list *batch)
{
    size_t bytes = 0;
    for (unsigned n = 0; n < LIMIT_STORE_BATCH_OPS && bytes < STORE_BATCH_BYTES; n++) {
        struct list *node = list_pop_front(&s->queue);
        if (!node)
            break;
        s->queued--;
        struct store_op *op = container_of(node, struct store_op, node);
        bytes += thread_op_bytes(op);
        list_push_back(op->verb == STORE_PAGE ? &s->pages : batch, node);
    }
    s->urgent = s->queued > 0; /* what is left has waited for a batch */
}

static void thread_committed(struct list *batch)
{
    list_for_each (it, batch) {
        struct store_op *op = container_of(it, struct store_op, node);
        if (op->committed && op->err == 0)
            op->committed(op);
    }
}

static void thread_work(struct store *s, struct list *batch)
{
    struct list done;
    list_init(&done);
    if (!list_empty(batch)) {
        batch_run(s, batch);
        thread_committed(batch);
        thread_post(s, batch);
    }
    page_step(s, &done);
    thread_post(s, &done);
    upkeep_busy(s);
    s->quiet_at = clock_awake() + STORE_QUIET_MS * NSEC_PER_MSEC;
}

static void *thread_main(void *arg)
{
    struct store *s = arg;
    for (;;) {
        struct list batch;
        list_init(&batch);
        pthread_mutex_lock(&s->mutex);
        bool work = thread_wait(s);
        if (work)
            thread_take(s, &batch);
        bool last = s->closing && list_empty(&batch) && list_empty(&s->pages);
        pthread_mutex_unlock(&s->mutex);
        if (last)
            return NULL;
        if (work)
            thread_work(s, &batch);
        else
            upkeep_quiet(s);
    }
}

int store_thread_start(struct store *s, struct err *err)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the loop's */
    int r = pthread_create(&s->thread, NULL, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r)
        return err_errno(err, -r, "cannot start the store's thread");
    s->started = true;
    return 0;
}

void store_thread_join(struct store *s)
{
    if (!s->started)
        return;
    pthread_mutex_lock(&s->mutex);
    s->closing = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    s->started = false;
}
