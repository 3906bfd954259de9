/* SPDX-License-Identifier: MIT */
/*
 * test_rounds - whose request is started next, on a fake clock. A client has so many requests
 * waiting; each takes some time to start, and then some time in the turn behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "daemon/control/rounds.h"
#include "tests/support/fake_loop.h"

enum { US = 1000, STARTED_MAX = 4096 };

struct client {
    struct rounds_account account;
    const char *name;
    unsigned waiting; /* requests */
    unsigned kind;
    uint64_t start_ns; /* takes each to start */
    uint64_t run_ns;   /* and to run */
    bool held;         /* none may be started now */
    bool has_account;
    unsigned started;
};

struct started {
    struct client *client;
    uint64_t charged_ns;
};

static struct fixture {
    struct fake_loop loop;
    struct rounds rounds;
    struct started started[STARTED_MAX]; /* that have not run yet */
    unsigned n;
    bool quiet; /* no trace */
} fixture;

static uint64_t fixture_clock(void)
{
    return fixture.loop.now.ns[AIO_AWAKE];
}

static enum rounds_served fixture_serve(struct rounds_account *account)
{
    struct client *c = container_of(account, struct client, account);
    if (c->waiting == 0)
        return ROUNDS_NONE;
    if (c->held)
        return ROUNDS_HOLD;
    c->waiting--;
    c->started++;
    fake_loop_pass(&fixture.loop, c->start_ns);
    if (!fixture.quiet)
        fake_loop_note(&fixture.loop, "%s", c->name);
    uint64_t charged = rounds_charge(&fixture.rounds, account, c->kind);
    fixture.started[fixture.n++] = (struct started){c, charged};
    return c->waiting ? ROUNDS_MORE : ROUNDS_NONE;
}

static int setup(void **state)
{
    (void)state;
    fixture.n = 0;
    fixture.quiet = false;
    fake_loop_init(&fixture.loop);
    fixture.rounds = (struct rounds){
        .serve = fixture_serve, .clock = fixture_clock, .sched = &fixture.loop.sched};
    rounds_init(&fixture.rounds);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rounds_done(&fixture.rounds);
    fake_loop_done(&fixture.loop);
    return 0;
}

static struct client client(const char *name, unsigned kind, uint64_t start_us, uint64_t run_us)
{
    struct client c = {
        .name = name, .kind = kind, .start_ns = start_us * US, .run_ns = run_us * US};
    return c;
}

static void enter(struct client *c, unsigned requests)
{
    if (!c->has_account)
        rounds_account_init(&c->account);
    c->has_account = true;
    c->waiting += requests;
    if (!rounds_waits(&c->account))
        assert_int_equal(rounds_enter(&fixture.rounds, &c->account), 0);
}

/* What was started before this turn runs in it, behind what the turn starts. */
static void turn(void)
{
    struct started ran[STARTED_MAX];
    unsigned n = fixture.n;
    memcpy(ran, fixture.started, n * sizeof(*ran));
    fixture.n = 0;
    fake_loop_pass(&fixture.loop, 1); /* no two turns are at the same time */
    fake_loop_turn(&fixture.loop);
    for (unsigned i = 0; i < n; i++) {
        struct client *c = ran[i].client;
        fake_loop_pass(&fixture.loop, c->run_ns);
        rounds_settle(&fixture.rounds, &c->account, c->kind, ran[i].charged_ns, c->run_ns);
    }
}

/* The guesses are right from here on. */
static void know(struct client *c, unsigned requests)
{
    fixture.quiet = true;
    for (unsigned i = 0; i < requests; i++) {
        enter(c, 1);
        turn();
        turn();
    }
    c->started = 0;
    fixture.quiet = false;
    turn();
}

/* Nobody else waits: at once, as much as fits into a turn; the rest in the next ones. */
static void alone(void **state)
{
    (void)state;
    struct client a = client("a", 0, 300, 0);
    know(&a, 100);
    enter(&a, 10);
    assert_int_equal(a.started, 4);
    assert_true(rounds_waits(&a.account));
    turn();
    assert_int_equal(a.started, 8);
    turn();
    assert_int_equal(a.started, 10);
    assert_false(rounds_waits(&a.account));
    assert_false(fake_loop_turn(&fixture.loop)); /* and then nothing is ready any more */
}

/* In one poll several connections are read: together they get one turn's worth. */
static void several_in_one_poll(void **state)
{
    (void)state;
    struct client a = client("a", 0, 400, 0), b = client("b", 0, 400, 0);
    know(&a, 100);
    know(&b, 1);
    fake_loop_trace(&fixture.loop);
    turn();
    enter(&a, 2);
    enter(&b, 4);
    assert_int_equal(a.started + b.started, 3);
    turn();
    assert_int_equal(a.started + b.started, 6);
}

/* However much a flooder has waiting, who comes is first in the next turn. */
static void who_comes_is_next(void **state)
{
    (void)state;
    struct client flood = client("flood", 0, 10, 90), polite = client("polite", 1, 10, 40);
    know(&flood, 100);
    know(&polite, 1);
    enter(&flood, 1000);
    turn();
    turn();
    fake_loop_trace(&fixture.loop);
    enter(&polite, 1);
    assert_string_equal(fake_loop_trace(&fixture.loop), "");
    turn();
    const char *trace = fake_loop_trace(&fixture.loop);
    assert_non_null(strstr(trace, "polite"));
    assert_true(strstr(trace, "polite") < strstr(trace, "flood"));
}

/* Time is shared, not requests: with half the cost one gets twice as many. */
static void time_is_shared(void **state)
{
    (void)state;
    struct client cheap = client("cheap", 0, 10, 90), dear = client("dear", 1, 10, 190);
    know(&cheap, 100);
    know(&dear, 100);
    fixture.quiet = true;
    enter(&cheap, 3000);
    enter(&dear, 3000);
    for (int i = 0; i < 200; i++)
        turn();
    assert_in_range(cheap.started, dear.started * 19 / 10, dear.started * 21 / 10);
    assert_in_range(cheap.started * 100 + dear.started * 200, 190 * 1000, 230 * 1000);
}

/* Who made believe that its requests are cheap, and then sends heavy ones, gets away with a few,
 * and pays for them. */
static void guesses_learn(void **state)
{
    (void)state;
    struct client sly = client("sly", 0, 1, 1), plain = client("plain", 1, 10, 90);
    know(&sly, 100);
    know(&plain, 100);
    sly.run_ns = 5000 * US;
    fixture.quiet = true;
    enter(&sly, 30000);
    enter(&plain, 30000);
    assert_int_equal(sly.started, ROUNDS_TURN_MAX);
    while (plain.started < 10000)
        turn();
    assert_in_range(sly.started * 5000, plain.started * 80, plain.started * 140);
}

/* What nobody knows the cost of is started a few at a time, whoever asks. */
static void unknown_kinds(void **state)
{
    (void)state;
    struct client clients[30];
    for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
        clients[i] = client("new", 7, 0, 0);
    turn();
    for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
        enter(&clients[i], 1);
    assert_int_equal(fixture.n, 10); /* of 100 µs each */
    turn();
    assert_int_equal(fixture.n, 10);
    while (fixture.n)
        turn();
    for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
        assert_int_equal(clients[i].started, 1);
}

/* An hour of silence is no credit against those who were served meanwhile. */
static void silence_saves_nothing(void **state)
{
    (void)state;
    struct client busy = client("busy", 0, 10, 90), silent = client("silent", 0, 10, 90);
    know(&silent, 10);
    know(&busy, 100);
    fixture.quiet = true;
    enter(&busy, 2000);
    for (int i = 0; i < 100; i++)
        turn();
    busy.started = 0;
    enter(&silent, 2000);
    for (int i = 0; i < 50; i++)
        turn();
    assert_in_range(silent.started, busy.started * 9 / 10, busy.started * 11 / 10);
}

static void equals_in_order(void **state)
{
    (void)state;
    struct client a = client("a", 0, 0, 0), b = client("b", 0, 0, 0), c = client("c", 0, 0, 0);
    struct client flood = client("flood", 0, 100, 0);
    know(&flood, 100);
    enter(&flood, 20);
    fake_loop_trace(&fixture.loop);
    enter(&a, 1);
    enter(&b, 1);
    enter(&c, 1);
    turn();
    const char *trace = fake_loop_trace(&fixture.loop);
    const char *at[] = {strstr(trace, " a\n"), strstr(trace, " b\n"), strstr(trace, " c\n")};
    assert_true(at[0] && at[0] < at[1] && at[1] < at[2]);
}

/* One that is held waits a moment, without a turn; others go on. */
static void held(void **state)
{
    (void)state;
    struct client a = client("a", 0, 10, 0), b = client("b", 0, 10, 0);
    know(&a, 100);
    know(&b, 1);
    a.held = true;
    enter(&a, 3);
    assert_true(rounds_waits(&a.account));
    assert_false(fake_loop_turn(&fixture.loop));
    enter(&b, 3);
    assert_int_equal(b.started, 3);
    fake_loop_pass(&fixture.loop, ROUNDS_HOLD_NS);
    turn();
    turn();
    assert_int_equal(a.started, 0);
    assert_true(rounds_waits(&a.account));
    a.held = false;
    fake_loop_pass(&fixture.loop, ROUNDS_HOLD_NS);
    turn();
    turn();
    assert_int_equal(a.started, 3);
    assert_false(rounds_waits(&a.account));
}

/* It closes its connection: nothing of it is left, the others are served. */
static void leaves(void **state)
{
    (void)state;
    struct client a = client("a", 0, 400, 0), b = client("b", 0, 400, 0),
                  c = client("c", 0, 400, 0);
    know(&a, 100);
    know(&b, 1);
    know(&c, 1);
    c.held = true;
    enter(&c, 1);
    enter(&a, 10);
    enter(&b, 2);
    assert_true(rounds_waits(&a.account) && rounds_waits(&b.account) &&
                rounds_waits(&c.account));
    rounds_leave(&fixture.rounds, &a.account);
    rounds_leave(&fixture.rounds, &a.account);
    rounds_leave(&fixture.rounds, &c.account);
    assert_false(rounds_waits(&a.account) || rounds_waits(&c.account));
    unsigned started = a.started;
    fake_loop_pass(&fixture.loop, ROUNDS_HOLD_NS);
    for (int i = 0; i < 5; i++)
        turn();
    assert_int_equal(a.started, started);
    assert_int_equal(b.started, 2);
    assert_int_equal(c.started, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(alone),
        TEST(several_in_one_poll),
        TEST(who_comes_is_next),
        TEST(time_is_shared),
        TEST(guesses_learn),
        TEST(unknown_kinds),
        TEST(silence_saves_nothing),
        TEST(equals_in_order),
        TEST(held),
        TEST(leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
