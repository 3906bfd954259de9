/* SPDX-License-Identifier: MIT */
/*
 * How the client's side of a connection waits: for any answer, up to a deadline, without a
 * connection, for a place in a queue; and what it knows of an end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "client/instance.h"
#include "linked.h"
#include "proto/pack.h"

/* Answers the first request last. */
static void serve_backwards(struct fake *f, const struct rpc_message *m)
{
    static const char *const texts[] = {"first", "second", "third"};
    if (f->requests < 3)
        return;
    for (uint32_t i = 3; i > 0; i--) {
        rpc_write_result(&f->out, m->msgid - 3 + i);
        pack_text(&f->out, texts[i - 1]);
    }
}

static void serve_error(struct fake *f, const struct rpc_message *m)
{
    fake_error(f, m->msgid, -ENOENT, "there is no task 7");
}

/* Half a MiB for each request. */
static void serve_large(struct fake *f, const struct rpc_message *m)
{
    struct bytes x = map_text(m->params, "x");
    rpc_write_result(&f->out, m->msgid);
    pack_bin(&f->out, x.data, x.len);
}

/* Whichever comes first, and which one it was. */
static void test_wait_any(void **state)
{
    struct linked *f = *state;
    struct err err = ERR_INIT;
    struct reply *reply = NULL;
    uint32_t msgid = 0;
    linked_start(f, serve_backwards);
    uint32_t asked[] = {linked_ask(f, "a"), linked_ask(f, "b"), linked_ask(f, "c")};
    static const char *const texts[] = {"third", "second", "first"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(link_wait_any(&f->link, &msgid, &reply, &err), 0);
        assert_int_equal(msgid, asked[2 - i]);
        assert_true(bytes_equal(object_text(reply->result), texts[i]));
        reply = reply_free(reply);
    }
}

static void test_wait_any_tells_errors_apart(void **state)
{
    struct linked *f = *state;
    struct err err = ERR_INIT;
    uint32_t msgid = 0;
    linked_start(f, serve_error);
    uint32_t asked = linked_ask(f, "x");
    assert_int_equal(link_wait_any(&f->link, &msgid, NULL, &err), -ENOENT);
    assert_int_equal(msgid, asked);
}

static void serve_nothing(struct fake *f, const struct rpc_message *m)
{
    (void)f;
    (void)m;
}

static void test_deadline(void **state)
{
    struct linked *f = *state;
    struct err err = ERR_INIT;
    linked_start(f, serve_nothing);
    f->link.deadline_ns = clock_awake() + 20 * NSEC_PER_MSEC;
    assert_int_equal(link_wait(&f->link, linked_ask(f, "x"), NULL, &err), -ETIME);
    assert_string_equal(err.msg, "the event loop at the fake does not answer");
    assert_true(f->link.broken);
    assert_false(f->link.lost);
}

static void test_lost(void **state)
{
    struct linked *f = *state;
    struct err err = ERR_INIT;
    linked_start(f, fake_close);
    assert_int_equal(link_wait(&f->link, linked_ask(f, "x"), NULL, &err), -ECONNRESET);
    assert_true(f->link.lost);
}

static void serve_stopping(struct fake *f, const struct rpc_message *m)
{
    (void)m;
    fake_error(f, 0, -ESHUTDOWN, "the daemon is stopping");
    f->closing = true;
}

static void test_stopping_is_lost(void **state)
{
    struct linked *f = *state;
    struct err err = ERR_INIT;
    linked_start(f, serve_stopping);
    assert_int_equal(link_wait(&f->link, linked_ask(f, "x"), NULL, &err), -ESHUTDOWN);
    assert_true(f->link.lost);
}

/* A request larger than the socket's buffers, while the other side answers: neither waits for
 * the other. */
static void test_large_both_ways(void **state)
{
    struct linked *f = *state;
    struct err err = ERR_INIT;
    struct buf params = BUF_INIT;
    char *text = calloc(1, LIMIT_MESSAGE_BYTES / 2);
    uint32_t msgids[8];
    assert_non_null(text);
    pack_map(&params, 1);
    pack_text(&params, "x");
    pack_bin(&params, text, LIMIT_MESSAGE_BYTES / 2);
    linked_start(f, serve_large);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(link_request(&f->link, "m", &params, &msgids[i], &err), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(link_wait(&f->link, msgids[i], NULL, &err), 0);
    free(text);
    buf_done(&params);
}

static int stop_pausing(void *arg, struct err *err)
{
    (void)arg;
    return err_set(err, -ECANCELED, "enough");
}

static void test_pause(void **state)
{
    struct linked *f = *state;
    struct err err = ERR_INIT;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    f->link.watch_fd = fds[0];
    f->link.on_watch = stop_pausing;
    assert_int_equal(link_pause(&f->link, NSEC_PER_MSEC, &err), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(link_pause(&f->link, 3600 * NSEC_PER_SEC, &err), -ECANCELED);
    f->link.watch_fd = -1;
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* Room for one, which somebody else takes; when he is let in, there is room again. */
struct queue {
    struct link link;
    char dir[32];
    char path[64];
    int listener;
    int first;
    int signal[2];
};

static int queue_let_in(void *arg, struct err *err)
{
    struct queue *q = arg;
    (void)err;
    assert_int_equal(close(accept(q->listener, NULL, NULL)), 0);
    q->link.watch_fd = -1;
    return 0;
}

static void test_full_queue(void **state)
{
    (void)state;
    struct queue q = {.link = LINK_INIT, .dir = "/tmp/aioctl-test-XXXXXX"};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct err err = ERR_INIT;
    assert_non_null(mkdtemp(q.dir));
    (void)snprintf(q.path, sizeof(q.path), "%s/s", q.dir);
    memcpy(address.sun_path, q.path, sizeof(q.path));
    q.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(q.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(q.listener, 0), 0);
    q.first = instance_connect(q.path, &err);
    assert_true(q.first >= 0);
    assert_int_equal(instance_connect(q.path, &err), -EAGAIN);
    assert_int_equal(pipe(q.signal), 0);
    assert_int_equal(write(q.signal[1], "x", 1), 1);
    q.link.watch_fd = q.signal[0];
    q.link.on_watch = queue_let_in;
    q.link.watch_arg = &q;
    assert_int_equal(link_open(&q.link, q.path, &err), 0);
    link_done(&q.link);
    int fds[] = {q.listener, q.first, q.signal[0], q.signal[1]};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        assert_int_equal(close(fds[i]), 0);
    assert_int_equal(unlink(q.path), 0);
    assert_int_equal(rmdir(q.dir), 0);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, linked_setup, linked_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_wait_any),
        WITH_FIXTURE(test_wait_any_tells_errors_apart),
        WITH_FIXTURE(test_deadline),
        WITH_FIXTURE(test_lost),
        WITH_FIXTURE(test_stopping_is_lost),
        WITH_FIXTURE(test_large_both_ways),
        WITH_FIXTURE(test_pause),
        cmocka_unit_test(test_full_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
