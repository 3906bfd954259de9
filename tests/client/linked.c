/* SPDX-License-Identifier: MIT */
#include "linked.h"

#include <sys/socket.h>
#include <unistd.h>

int linked_setup(void **state)
{
    static struct linked f;
    int fds[2];
    f = (struct linked){.good = true};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    f.fd = fds[1];
    *state = &f;
    return link_init(&f.link, fds[0], "the fake");
}

static void *linked_thread(void *arg)
{
    struct linked *f = arg;
    f->good = fake_serve(&f->fake, f->fd);
    return NULL;
}

void linked_start(struct linked *f, fake_handler_fn *handler)
{
    f->fake.handler = handler;
    f->started = true;
    assert_int_equal(pthread_create(&f->thread, NULL, linked_thread, f), 0);
}

int linked_teardown(void **state)
{
    struct linked *f = *state;
    link_done(&f->link);
    if (f->started)
        (void)pthread_join(f->thread, NULL);
    else
        (void)close(f->fd);
    fake_done(&f->fake);
    buf_done(&f->notified);
    return f->good ? 0 : -1;
}

uint32_t linked_ask(struct linked *f, const char *method)
{
    struct err err = ERR_INIT;
    uint32_t msgid = 0;
    assert_int_equal(link_request(&f->link, method, NULL, &msgid, &err), 0);
    return msgid;
}

void linked_check(struct linked *f, uint32_t msgid, const char *expected)
{
    struct reply *reply = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(link_wait(&f->link, msgid, &reply, &err), 0);
    assert_true(bytes_equal(object_text(reply->result), expected));
    (void)reply_free(reply);
}
