/* SPDX-License-Identifier: MIT */
#include "tests/daemon/processes_fixture.h"

#include <fcntl.h>

static const uint8_t instance[RECORD_UUID_BYTES] = "instance 1234567";

static void on_live(void *ctx)
{
    ((struct fixture *)ctx)->lives++;
}

static void on_lost(void *ctx, const struct err *err)
{
    struct fixture *f = ctx;
    f->losses++;
    f->lost = *err;
}

int fixture_setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.lives = 0};
    real_loop_init(&f.real);
    fake_spawner_init(&f.spawner, 0xaa);
    fake_spawner_init(&f.another, 0xbb);
    processes_init(&f.ps, &f.real.loop, instance);
    f.ps.live = on_live;
    f.ps.lost = on_lost;
    f.ps.ctx = &f;
    *state = &f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < PROCESSES_BUCKETS; i++)
        list_for_each_safe (it, &f->ps.buckets[i])
            process_free(container_of(it, struct process, node), false);
    assert_int_equal(f->ps.count, 0);
    processes_done(&f->ps);
    fake_spawner_done(&f->spawner);
    fake_spawner_done(&f->another);
    real_loop_done(&f->real);
    return 0;
}

void turns(struct fixture *f)
{
    for (int i = 0; i < 4; i++) {
        aio_loop_stop(&f->real.loop);
        aio_loop_run(&f->real.loop);
    }
}

void hello(struct fixture *f, struct fake_spawner *s)
{
    struct err err = ERR_INIT;
    int r = processes_connect(&f->ps, s->path, &err);
    assert_string_equal(err.msg, "");
    assert_int_equal(r, 0);
    fake_spawner_accept(s);
    struct record record = fake_spawner_take(s, RECORD_HELLO);
    assert_memory_equal(record.hello.instance, instance, sizeof(instance));
    fake_spawner_welcome(s);
    turns(f);
    fake_spawner_take(s, RECORD_LIST);
}

void list_end(struct fixture *f, struct fake_spawner *s)
{
    fake_spawner_list_end(s);
    turns(f);
}

void connect_to(struct fixture *f, struct fake_spawner *s)
{
    hello(f, s);
    list_end(f, s);
}

void disconnect(struct fixture *f, struct fake_spawner *s)
{
    fake_spawner_drop(s);
    turns(f);
}

struct process *add(struct fixture *f, uint8_t n, enum process_state state)
{
    uint8_t token[RECORD_TOKEN_BYTES] = {0};
    token[RECORD_TOKEN_BYTES - 1] = n;
    struct process *p = process_new(&f->ps, token, state);
    assert_non_null(p);
    return p;
}

struct process *expect(struct fixture *f, uint8_t n, uint8_t spawner)
{
    struct process *p = add(f, n, PROCESS_UNKNOWN);
    memset(p->spawner, spawner, sizeof(p->spawner));
    return p;
}

int start(struct process *p)
{
    struct spawn_request request = {.task = 7,
                                    .attempt = 2,
                                    .uid = 1000,
                                    .gid = 100,
                                    .spec_fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
                                    .out_fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
                                    .err_fd = -1};
    memcpy(request.token, p->token, sizeof(request.token));
    return process_start(p, &request);
}

void assert_token(const struct record *record, const struct process *p)
{
    assert_memory_equal(record->token, p->token, sizeof(p->token));
}

void take_signal(struct fake_spawner *s, const struct process *p, int signo)
{
    struct record record = fake_spawner_take(s, RECORD_SIGNAL);
    assert_token(&record, p);
    assert_int_equal(record.signal.signo, signo);
}
