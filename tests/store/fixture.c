/* SPDX-License-Identifier: MIT */
/*
 * fixture - a store in a directory of its own, and a loop that is no more than a queue.
 */
#include "tests/store/fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIXTURE_PATIENCE_MS = 20000 };

static void fixture_pass_gate(struct fixture *f)
{
    f->at_gate = true;
    pthread_cond_broadcast(&f->moved);
    while (f->gate_closed)
        pthread_cond_wait(&f->moved, &f->mutex);
    f->at_gate = false;
}

/* On the store thread. */
static void fixture_post(void *ctx, struct posted *posted)
{
    struct fixture *f = ctx;
    pthread_mutex_lock(&f->mutex);
    if (f->nposts == FIXTURE_POSTS_MAX)
        abort();
    f->posts[f->nposts++] = (struct fixture_post){posted->fn, posted->arg};
    eventfd_write(f->event, 1);
    fixture_pass_gate(f);
    pthread_mutex_unlock(&f->mutex);
}

static void fixture_drain(struct fixture *f)
{
    for (;;) {
        pthread_mutex_lock(&f->mutex);
        struct fixture_post post = {0};
        if (f->nposts > 0) {
            post = f->posts[0];
            f->nposts--;
            memmove(f->posts, f->posts + 1, f->nposts * sizeof(post));
        }
        pthread_mutex_unlock(&f->mutex);
        if (!post.fn)
            return;
        post.fn(post.arg);
    }
}

struct fixture *fixture_new(const char *parent)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    snprintf(f->dir, sizeof(f->dir), "%s/store-XXXXXX", parent);
    f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->moved, NULL);
    f->options = (struct store_options){
        .dir = f->dir, .post = fixture_post, .post_ctx = f, .ballast_bytes = 1024 * 1024};
    if (f->event < 0 || !mkdtemp(f->dir)) {
        fixture_free(f);
        return NULL;
    }
    return f;
}

static int fixture_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void fixture_free(struct fixture *f)
{
    fixture_close(f);
    nftw(f->dir, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
    close(f->event);
    pthread_cond_destroy(&f->moved);
    pthread_mutex_destroy(&f->mutex);
    free(f);
}

int fixture_setup(void **state)
{
    struct fixture *f = fixture_new("/tmp");
    *state = f;
    if (!f)
        return -1;
    int r = fixture_open(f);
    if (r < 0)
        print_error("%s\n", f->err.msg);
    return r;
}

int fixture_teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

int fixture_open(struct fixture *f)
{
    f->err = (struct err)ERR_INIT;
    return store_open(&f->store, &f->options, &f->err);
}

void fixture_close(struct fixture *f)
{
    fixture_gate_open(f);
    store_close(f->store);
    f->store = NULL;
    fixture_drain(f);
}

void fixture_path(const struct fixture *f, const char *name, char ret[128])
{
    snprintf(ret, 128, "%s/%s", f->dir, name);
}

off_t fixture_size(const struct fixture *f, const char *name)
{
    char path[128];
    struct stat st;
    fixture_path(f, name, path);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

bool fixture_has(const struct fixture *f, const char *name)
{
    char path[128];
    fixture_path(f, name, path);
    return access(path, F_OK) == 0;
}

int64_t fixture_integer(const struct fixture *f, const char *sql)
{
    char path[128];
    fixture_path(f, "tasks.db", path);
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int64_t ret = INT64_MIN;
    /* By the real file layer, whatever the default is at the moment. */
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        ret = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return ret;
}

void fixture_gate_close(struct fixture *f)
{
    pthread_mutex_lock(&f->mutex);
    f->gate_closed = true;
    pthread_mutex_unlock(&f->mutex);
}

void fixture_gate_await(struct fixture *f)
{
    pthread_mutex_lock(&f->mutex);
    while (!f->at_gate)
        pthread_cond_wait(&f->moved, &f->mutex);
    pthread_mutex_unlock(&f->mutex);
}

void fixture_gate_open(struct fixture *f)
{
    pthread_mutex_lock(&f->mutex);
    f->gate_closed = false;
    pthread_cond_broadcast(&f->moved);
    pthread_mutex_unlock(&f->mutex);
}

static void call_done(struct store_op *op)
{
    struct call *c = container_of(op, struct call, op);
    c->order = ++c->fixture->completed;
}

void call_queue(struct fixture *f, struct call *c)
{
    c->fixture = f;
    c->order = 0;
    c->op.done = call_done;
    store_queue(f->store, &c->op);
}

void call_await(struct fixture *f, const struct call *c)
{
    fixture_drain(f);
    while (c->order == 0) {
        struct pollfd p = {.fd = f->event, .events = POLLIN};
        if (poll(&p, 1, FIXTURE_PATIENCE_MS) <= 0)
            fail_msg("an operation never completed");
        eventfd_t count;
        eventfd_read(f->event, &count);
        fixture_drain(f);
    }
}

int call_run(struct fixture *f, struct call *c)
{
    call_queue(f, c);
    call_await(f, c);
    return c->op.err;
}

static void task_fill_id(uint8_t id[16], uint64_t seed)
{
    for (int i = 0; i < 16; i++)
        id[i] = (uint8_t)(seed * 31 + (uint64_t)i + 1);
}

void task_fill(struct store_task *t, uint64_t id)
{
    static const uint32_t groups[] = {24, 1000, 4294967294};
    *t = (struct store_task){
        .id = id,
        .uid = 1000,
        .gid = 4294967294,
        .submitted_ns = 1700000000000000001 + id,
        .due_ns = UINT64_MAX - id,
        .due_clock = 2,
        .due_wall_ns = 1800000000000000000,
        .client_pid = 4194304,
        .function = strdup("exec"),
        .group = strdup("default"),
        .title = strdup("rsync -a src dst"),
    };
    char text[64];
    snprintf(text, sizeof(text), "task-%llu", (unsigned long long)id);
    t->name = strdup(text);
    t->args = value_new(text, strlen(text));
    t->env = value_new("PATH=/usr/bin\0HOME=/home/ana", 28);
    t->creds = value_new(groups, sizeof(groups));
    task_fill_id(t->boot_id, id);
}

static void task_assert_value(const struct value *got, const struct value *wanted)
{
    assert_non_null(got);
    assert_int_equal(got->len, wanted->len);
    assert_memory_equal(got->bytes, wanted->bytes, wanted->len);
}

void task_assert_submitted(const struct store_task *got, const struct store_task *wanted)
{
    assert_int_equal(got->id, wanted->id);
    assert_int_equal(got->uid, wanted->uid);
    assert_int_equal(got->gid, wanted->gid);
    assert_true(got->submitted_ns == wanted->submitted_ns);
    assert_true(got->due_ns == wanted->due_ns);
    assert_int_equal(got->due_clock, wanted->due_clock);
    assert_true(got->due_wall_ns == wanted->due_wall_ns);
    assert_int_equal(got->client_pid, wanted->client_pid);
    assert_memory_equal(got->boot_id, wanted->boot_id, STORE_UUID_BYTES);
    assert_string_equal(got->function, wanted->function);
    assert_string_equal(got->group, wanted->group);
    assert_string_equal(got->title, wanted->title);
    if (wanted->name)
        assert_string_equal(got->name, wanted->name);
    else
        assert_null(got->name);
    if (got->args)
        task_assert_value(got->args, wanted->args);
    if (got->env)
        task_assert_value(got->env, wanted->env);
    if (got->creds)
        task_assert_value(got->creds, wanted->creds);
}

int task_submit(struct fixture *f, uint64_t id)
{
    struct store_task t;
    task_fill(&t, id);
    struct call c = {.op = {.verb = STORE_SUBMIT, .task = &t}};
    int r = call_run(f, &c);
    store_task_done(&t);
    return r;
}

int task_end(struct fixture *f, uint64_t id, enum store_outcome outcome)
{
    struct call c = {
        .op = {.verb = STORE_END, .end = {.id = id, .outcome = outcome, .wall_ns = 1900 + id}}};
    return call_run(f, &c);
}

int task_remove(struct fixture *f, uint64_t id)
{
    struct call c = {
        .op = {.verb = STORE_REMOVE, .id = id, .remove = {.only_uid = UINT32_MAX}}};
    return call_run(f, &c);
}

void fixture_fill_and_close(struct fixture *f)
{
    char title[1500];
    memset(title, 't', sizeof(title));
    title[sizeof(title) - 1] = '\0';
    for (uint64_t id = 1; id <= 200; id++) {
        struct store_task t;
        task_fill(&t, id);
        free(t.title);
        t.title = strdup(title);
        struct call c = {.op = {.verb = STORE_SUBMIT, .task = &t}};
        assert_int_equal(call_run(f, &c), 0);
        store_task_done(&t);
    }
    fixture_close(f);
}
