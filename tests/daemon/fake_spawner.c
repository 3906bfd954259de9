/* SPDX-License-Identifier: MIT */
#include "tests/daemon/fake_spawner.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

void fake_spawner_init(struct fake_spawner *s, uint8_t id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *s = (struct fake_spawner){.listener = -1, .fd = -1};
    memset(s->id, id, sizeof(s->id));
    scratch_init(&s->scratch);
    snprintf(s->path, sizeof(s->path), "%s/spawner.sock", s->scratch.path);
    memcpy(address.sun_path, s->path, strlen(s->path));
    s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listener, 8), 0);
}

static void fake_spawner_close_fds(struct fake_spawner *s)
{
    while (s->nfds > 0)
        close(s->fds[--s->nfds]);
}

void fake_spawner_drop(struct fake_spawner *s)
{
    fake_spawner_close_fds(s);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void fake_spawner_done(struct fake_spawner *s)
{
    fake_spawner_drop(s);
    close(s->listener);
    scratch_done(&s->scratch);
}

void fake_spawner_accept(struct fake_spawner *s)
{
    assert_int_equal(s->fd, -1);
    s->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(s->fd >= 0);
}

struct record fake_spawner_take(struct fake_spawner *s, enum record_type type)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(RECORD_MAX_FDS * sizeof(int))];
    } control;
    struct record record = {0};
    struct iovec iov = {.iov_base = &record, .iov_len = sizeof(record)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    fake_spawner_close_fds(s);
    assert_int_equal(recvmsg(s->fd, &msg, MSG_CMSG_CLOEXEC), sizeof(record));
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c) {
        s->nfds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(s->fds, CMSG_DATA(c), s->nfds * sizeof(int));
    }
    assert_int_equal(record.type, type);
    return record;
}

void fake_spawner_expect_nothing(struct fake_spawner *s)
{
    struct record record;
    assert_int_equal(recv(s->fd, &record, sizeof(record), 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static void fake_spawner_send(struct fake_spawner *s, struct record *record,
                              const uint8_t *token)
{
    if (token)
        memcpy(record->token, token, sizeof(record->token));
    assert_int_equal(send(s->fd, record, sizeof(*record), MSG_NOSIGNAL), sizeof(*record));
}

void fake_spawner_welcome(struct fake_spawner *s)
{
    struct record r = {.type = RECORD_WELCOME,
                       .version = RECORD_VERSION,
                       .welcome = {.pid = 4711, .uid = 1000}};
    memcpy(r.welcome.spawner_id, s->id, sizeof(s->id));
    fake_spawner_send(s, &r, NULL);
}

void fake_spawner_list_end(struct fake_spawner *s)
{
    struct record r = {.type = RECORD_LIST_END};
    fake_spawner_send(s, &r, NULL);
}

void fake_spawner_started(struct fake_spawner *s, const uint8_t *token, uint32_t pid,
                          uint64_t start_ticks)
{
    struct record r = {
        .type = RECORD_STARTED,
        .started = {.pid = pid, .start_ticks = start_ticks, .wall_ns = 1700000000}};
    fake_spawner_send(s, &r, token);
}

void fake_spawner_failed(struct fake_spawner *s, const uint8_t *token, enum spawn_step step,
                         int err)
{
    struct record r = {.type = RECORD_FAILED, .failed = {.step = step, .err = err}};
    fake_spawner_send(s, &r, token);
}

void fake_spawner_exited(struct fake_spawner *s, const uint8_t *token, int status)
{
    struct record r = {.type = RECORD_EXITED,
                       .exited = {.status = status, .usage = {.user_us = 5}}};
    fake_spawner_send(s, &r, token);
}
