/* SPDX-License-Identifier: MIT */
/*
 * The client's side of a connection: requests, answers, notifications, errors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "linked.h"
#include "proto/pack.h"

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
    struct linked *f = *state;
    struct reply *reply = NULL;
    struct err err = ERR_INIT;
    uint32_t msgid;
    linked_start(f, serve_echo);
    assert_int_equal(link_hello(&f->link, &msgid, &err), 0);
    assert_int_equal(link_wait(&f->link, msgid, &reply, &err), 0);
    assert_int_equal(map_uint(reply->result, "version", 0), 1);
    (void)reply_free(reply);
}

/* Five requests at once, waited for in another order; two nobody waits for. */
static void test_pipelining(void **state)
{
    struct linked *f = *state;
    linked_start(f, serve_echo);
    static const char *const methods[] = {"one", "two", "three", "four", "five"};
    uint32_t msgids[5];
    for (size_t i = 0; i < 5; i++)
        msgids[i] = linked_ask(f, methods[i]);
    linked_check(f, msgids[3], "four");
    linked_check(f, msgids[0], "one");
    linked_check(f, msgids[2], "three");
    linked_check(f, linked_ask(f, "six"), "six");
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
    struct linked *f = *state;
    linked_start(f, serve_backwards);
    uint32_t first = linked_ask(f, "a");
    uint32_t second = linked_ask(f, "b");
    uint32_t third = linked_ask(f, "c");
    linked_check(f, first, "first");
    linked_check(f, second, "second");
    linked_check(f, third, "third");
}

static void test_half_messages(void **state)
{
    struct linked *f = *state;
    f->fake.bytewise = true;
    linked_start(f, serve_echo);
    uint32_t one = linked_ask(f, "one");
    uint32_t two = linked_ask(f, "two");
    linked_check(f, two, "two");
    linked_check(f, one, "one");
}

static void serve_error(struct fake *f, const struct rpc_message *m)
{
    fake_error(f, m->msgid, -ENOENT, "there is no task 7");
}

static void test_error(void **state)
{
    struct linked *f = *state;
    struct reply *reply = NULL;
    struct err err = ERR_INIT;
    linked_start(f, serve_error);
    assert_int_equal(link_wait(&f->link, linked_ask(f, "x"), &reply, &err), -ENOENT);
    assert_string_equal(err.msg, "there is no task 7");
    assert_null(reply);
    assert_false(f->link.broken);
    err = (struct err)ERR_INIT;
    assert_int_equal(link_wait(&f->link, linked_ask(f, "x"), NULL, &err), -ENOENT);
}

static void test_closed(void **state)
{
    struct linked *f = *state;
    struct err err = ERR_INIT;
    linked_start(f, fake_close);
    assert_int_equal(link_wait(&f->link, linked_ask(f, "x"), NULL, &err), -ECONNRESET);
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
    struct linked *f = *state;
    struct err err = ERR_INIT;
    linked_start(f, serve_half);
    uint32_t whole = linked_ask(f, "a");
    uint32_t half = linked_ask(f, "b");
    assert_int_equal(link_wait(&f->link, half, NULL, &err), -ECONNRESET);
    assert_true(f->link.broken);
    err = (struct err)ERR_INIT;
    linked_check(f, whole, "a text that is long enough to be cut");
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
    struct linked *f = *state;
    struct err err = ERR_INIT;
    linked_start(f, serve_refusal);
    assert_int_equal(link_wait(&f->link, linked_ask(f, "x"), NULL, &err), -EMSGSIZE);
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
    struct linked *f = *state;
    struct err err = ERR_INIT;
    linked_start(f, serve_garbage);
    assert_int_equal(link_wait(&f->link, linked_ask(f, "x"), NULL, &err), -EBADMSG);
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
    struct linked *f = arg;
    struct bytes data = map_text(m->params, "data");
    buf_append(&f->notified, data.data, data.len);
    return 0;
}

static void test_notifications(void **state)
{
    struct linked *f = *state;
    f->link.on_notification = note;
    f->link.notification_arg = f;
    linked_start(f, serve_logs);
    linked_check(f, linked_ask(f, "logs"), "end");
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
    struct linked *f = *state;
    struct err err = ERR_INIT;
    f->link.on_notification = refuse;
    linked_start(f, serve_logs);
    assert_int_equal(link_wait(&f->link, linked_ask(f, "logs"), NULL, &err), -EPIPE);
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
    struct linked *f = arg;
    uint32_t msgid;
    defs_closep(&f->link.watch_fd);
    f->link.watch_fd = -1;
    return link_request(&f->link, "wake", NULL, &msgid, err);
}

/* A watched descriptor wakes the wait, and its callback sends a request. */
static void test_watch(void **state)
{
    struct linked *f = *state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(close(fds[1]), 0);
    f->link.watch_fd = fds[0];
    f->link.on_watch = watched;
    f->link.watch_arg = f;
    linked_start(f, serve_second);
    linked_check(f, linked_ask(f, "slow"), "late");
}

static void test_too_large(void **state)
{
    struct linked *f = *state;
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

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, linked_setup, linked_teardown)

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
