/* SPDX-License-Identifier: MIT */
/*
 * The client's side of a connection, against a fake daemon on the other end of a socketpair.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "client/link.h"
#include "fake.h"
#include "proto/pack.h"

struct fixture {
    struct link link;
    struct fake fake;
    int fd; /* the fake's */
    pthread_t thread;
    bool good;
    bool started;
    struct buf notified;
};

static int fixture_setup(void **state)
{
    static struct fixture f;
    int fds[2];
    f = (struct fixture){.good = true};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    f.fd = fds[1];
    *state = &f;
    return link_init(&f.link, fds[0], "the fake");
}

static void *fixture_thread(void *arg)
{
    struct fixture *f = arg;
    f->good = fake_serve(&f->fake, f->fd);
    return NULL;
}

static void fixture_start(struct fixture *f, fake_handler_fn *handler)
{
    f->fake.handler = handler;
    f->started = true;
    assert_int_equal(pthread_create(&f->thread, NULL, fixture_thread, f), 0);
}

static int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    link_done(&f->link);
    if (f->started)
        (void)pthread_join(f->thread, NULL);
    else
        (void)close(f->fd);
    fake_done(&f->fake);
    buf_done(&f->notified);
    return f->good ? 0 : -1;
}

static uint32_t ask(struct fixture *f, const char *method)
{
    struct err err = ERR_INIT;
    uint32_t msgid = 0;
    assert_int_equal(link_request(&f->link, method, NULL, &msgid, &err), 0);
    return msgid;
}

static void check_answer(struct fixture *f, uint32_t msgid, const char *expected)
{
    struct reply *reply = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(link_wait(&f->link, msgid, &reply, &err), 0);
    assert_true(bytes_equal(object_text(reply->result), expected));
    (void)reply_free(reply);
}

static void answer_text(struct fake *f, const struct rpc_message *m, const char *text)
{
    rpc_write_result(&f->out, m->msgid);
    pack_text(&f->out, text);
}

static void serve_echo(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    pack_text_n(&f->out, m->method.data, m->method.len);
}

static void test_hello(void **state)
{
    struct fixture *f = *state;
    struct reply *reply = NULL;
    struct err err = ERR_INIT;
    uint32_t msgid;
    fixture_start(f, serve_echo);
    assert_int_equal(link_hello(&f->link, &msgid, &err), 0);
    assert_int_equal(link_wait(&f->link, msgid, &reply, &err), 0);
    assert_int_equal(map_uint(reply->result, "version", 0), 1);
    (void)reply_free(reply);
}

/* Five requests at once, waited for in another order; two nobody waits for. */
static void test_pipelining(void **state)
{
    struct fixture *f = *state;
    fixture_start(f, serve_echo);
    static const char *const methods[] = {"one", "two", "three", "four", "five"};
    uint32_t msgids[5];
    for (size_t i = 0; i < 5; i++)
        msgids[i] = ask(f, methods[i]);
    check_answer(f, msgids[3], "four");
    check_answer(f, msgids[0], "one");
    check_answer(f, msgids[2], "three");
    check_answer(f, ask(f, "six"), "six");
}

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

static void test_answers_out_of_order(void **state)
{
    struct fixture *f = *state;
    fixture_start(f, serve_backwards);
    uint32_t first = ask(f, "a");
    uint32_t second = ask(f, "b");
    uint32_t third = ask(f, "c");
    check_answer(f, first, "first");
    check_answer(f, second, "second");
    check_answer(f, third, "third");
}

static void test_half_messages(void **state)
{
    struct fixture *f = *state;
    f->fake.bytewise = true;
    fixture_start(f, serve_echo);
    uint32_t one = ask(f, "one");
    uint32_t two = ask(f, "two");
    check_answer(f, two, "two");
    check_answer(f, one, "one");
}

static void serve_error(struct fake *f, const struct rpc_message *m)
{
    fake_error(f, m->msgid, -ENOENT, "there is no task 7");
}

static void test_error(void **state)
{
    struct fixture *f = *state;
    struct reply *reply = NULL;
    struct err err = ERR_INIT;
    fixture_start(f, serve_error);
    assert_int_equal(link_wait(&f->link, ask(f, "x"), &reply, &err), -ENOENT);
    assert_string_equal(err.msg, "there is no task 7");
    assert_null(reply);
    assert_false(f->link.broken);
    err = (struct err)ERR_INIT;
    assert_int_equal(link_wait(&f->link, ask(f, "x"), NULL, &err), -ENOENT);
}

static void serve_close(struct fake *f, const struct rpc_message *m)
{
    (void)m;
    f->closing = true;
}

static void test_closed(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    fixture_start(f, serve_close);
    assert_int_equal(link_wait(&f->link, ask(f, "x"), NULL, &err), -ECONNRESET);
    assert_true(f->link.broken);
    assert_string_equal(err.msg,
                        "the event loop at the fake went away before it answered; once it "
                        "runs again, `aioctl status` tells what it had accepted");
    err = (struct err)ERR_INIT;
    assert_int_equal(link_wait(&f->link, 99, NULL, &err), -ECONNRESET);
}

/* Answers one request and half of the other. */
static void serve_half(struct fake *f, const struct rpc_message *m)
{
    answer_text(f, m, "a text that is long enough to be cut");
    if (f->requests < 2)
        return;
    f->out.len /= 2;
    f->closing = true;
}

static void test_closed_half_way(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    fixture_start(f, serve_half);
    uint32_t whole = ask(f, "a");
    uint32_t half = ask(f, "b");
    assert_int_equal(link_wait(&f->link, half, NULL, &err), -ECONNRESET);
    assert_true(f->link.broken);
    err = (struct err)ERR_INIT;
    check_answer(f, whole, "a text that is long enough to be cut");
}

static void serve_refusal(struct fake *f, const struct rpc_message *m)
{
    (void)m;
    fake_error(f, 0, -EMSGSIZE, "too much");
    f->closing = true;
}

/* msgid 0: the connection itself is refused, and the daemon says why. */
static void test_refused_connection(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    fixture_start(f, serve_refusal);
    assert_int_equal(link_wait(&f->link, ask(f, "x"), NULL, &err), -EMSGSIZE);
    assert_string_equal(err.msg, "too much");
    assert_true(f->link.broken);
}

static void serve_garbage(struct fake *f, const struct rpc_message *m)
{
    (void)m;
    buf_puts(&f->out, "\xc1");
}

static void test_garbage(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    fixture_start(f, serve_garbage);
    assert_int_equal(link_wait(&f->link, ask(f, "x"), NULL, &err), -EBADMSG);
    assert_true(f->link.broken);
    assert_non_null(strstr(err.msg, "the answer of the event loop at the fake: "));
}

static void serve_logs(struct fake *f, const struct rpc_message *m)
{
    fake_logs(f, m->msgid, "out", "one ");
    fake_logs(f, m->msgid, "out", "two");
    answer_text(f, m, "end");
}

static int note(void *arg, const struct rpc_message *m, struct err *err)
{
    (void)err;
    struct fixture *f = arg;
    struct bytes data = map_text(m->params, "data");
    buf_append(&f->notified, data.data, data.len);
    return 0;
}

static void test_notifications(void **state)
{
    struct fixture *f = *state;
    f->link.on_notification = note;
    f->link.notification_arg = f;
    fixture_start(f, serve_logs);
    check_answer(f, ask(f, "logs"), "end");
    assert_string_equal(buf_cstr(&f->notified), "one two");
}

static int refuse(void *arg, const struct rpc_message *m, struct err *err)
{
    (void)arg;
    (void)m;
    return err_set(err, -EPIPE, "nobody reads");
}

static void test_notification_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    f->link.on_notification = refuse;
    fixture_start(f, serve_logs);
    assert_int_equal(link_wait(&f->link, ask(f, "logs"), NULL, &err), -EPIPE);
    assert_false(f->link.broken);
}

static void serve_second(struct fake *f, const struct rpc_message *m)
{
    if (f->requests < 2)
        return;
    rpc_write_result(&f->out, m->msgid - 1);
    pack_text(&f->out, "late");
}

static int watched(void *arg, struct err *err)
{
    struct fixture *f = arg;
    uint32_t msgid;
    defs_closep(&f->link.watch_fd);
    f->link.watch_fd = -1;
    return link_request(&f->link, "wake", NULL, &msgid, err);
}

/* A watched descriptor wakes the wait, and its callback sends a request. */
static void test_watch(void **state)
{
    struct fixture *f = *state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(close(fds[1]), 0);
    f->link.watch_fd = fds[0];
    f->link.on_watch = watched;
    f->link.watch_arg = f;
    fixture_start(f, serve_second);
    check_answer(f, ask(f, "slow"), "late");
}

static void test_too_large(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct buf params = BUF_INIT;
    char *text = calloc(1, LIMIT_MESSAGE_BYTES);
    uint32_t msgid;
    assert_non_null(text);
    pack_map(&params, 1);
    pack_text(&params, "x");
    pack_bin(&params, text, LIMIT_MESSAGE_BYTES);
    assert_int_equal(link_request(&f->link, "m", &params, &msgid, &err), -EMSGSIZE);
    assert_int_equal(f->link.out.len, 0);
    assert_string_equal(err.msg, "the request has 1048590 bytes, at most 1048576 fit into one");
    free(text);
    buf_done(&params);
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_hello),
        WITH_FIXTURE(test_pipelining),
        WITH_FIXTURE(test_answers_out_of_order),
        WITH_FIXTURE(test_half_messages),
        WITH_FIXTURE(test_error),
        WITH_FIXTURE(test_closed),
        WITH_FIXTURE(test_closed_half_way),
        WITH_FIXTURE(test_refused_connection),
        WITH_FIXTURE(test_garbage),
        WITH_FIXTURE(test_notifications),
        WITH_FIXTURE(test_notification_ends_the_wait),
        WITH_FIXTURE(test_watch),
        WITH_FIXTURE(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
