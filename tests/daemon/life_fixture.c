/* SPDX-License-Identifier: MIT */
#include "tests/daemon/life_fixture.h"

#include "base/limits.h"

enum { PATIENCE_MS = 20000, BALLAST_BYTES = 64 * 1024 };

/* ---- running the loop ---- */

void one_turn(struct fixture *f)
{
    aio_loop_stop(&f->real.loop);
    aio_loop_run(&f->real.loop);
}

static void fixture_over(uv_timer_t *timer)
{
    ((struct fixture *)timer->data)->timed_out = true;
}

void life_until(struct fixture *f, bool (*until)(struct fixture *, uint64_t), uint64_t id)
{
    f->timed_out = false;
    uv_timer_start(&f->patience, fixture_over, PATIENCE_MS, 0);
    while (!until(f, id) && !f->timed_out)
        uv_run(&f->real.loop.uv, UV_RUN_ONCE); /* waits where nothing is ready */
    uv_timer_stop(&f->patience);
    assert_false(f->timed_out);
}

/* ---- open and close ---- */

static void fixture_post(void *ctx, struct posted *posted)
{
    aio_loop_post(&((struct fixture *)ctx)->real.loop, posted);
}

static void fixture_broken(void *ctx, int err)
{
    ((struct fixture *)ctx)->broken = err;
}

void fixture_open(struct fixture *f)
{
    struct err err = ERR_INIT;
    real_loop_init(&f->real);
    uv_timer_init(&f->real.loop.uv, &f->patience);
    f->patience.data = f;
    const struct store_options store = {.dir = f->scratch.path,
                                        .post = fixture_post,
                                        .post_ctx = f,
                                        .ballast_bytes = BALLAST_BYTES};
    store_open(&f->store, &store, &err);
    assert_string_equal(err.msg, "");
    const struct tasks_options options = {.loop = &f->real.loop,
                                          .store = f->store,
                                          .state_dir = f->scratch.path,
                                          .owner_uid = OWNER};
    assert_int_equal(tasks_init(&f->tasks, &options, &err), 0);
    f->tasks.broken = fixture_broken;
    f->tasks.broken_ctx = f;
    script_init(&f->script, &f->tasks);
    assert_non_null(groups_set(&f->tasks.groups, "default", 1));
    assert_int_equal(tasks_load(&f->tasks, &err), 0);
}

static bool is_idle(struct fixture *f, uint64_t id)
{
    (void)id;
    return tasks_idle(&f->tasks);
}

void fixture_close(struct fixture *f)
{
    tasks_stop(&f->tasks);
    life_until(f, is_idle, 0);
    assert_held(f, 0, 0);
    store_close(f->store);
    f->store = NULL;
    for (int i = 0; i < 4; i++) /* what it completed at last arrives */
        one_turn(f);
    script_done(&f->script);
    tasks_done(&f->tasks);
    uv_close((uv_handle_t *)&f->patience, NULL);
    real_loop_done(&f->real);
}

void fixture_restart(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f);
    tasks_spawner_live(&f->tasks);
}

int fixture_setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.store = NULL};
    scratch_init(&f.scratch);
    fixture_open(&f);
    *state = &f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    if (f->store)
        fixture_close(f);
    scratch_done(&f->scratch);
    return 0;
}

/* ---- predicates ---- */

bool is_gone(struct fixture *f, uint64_t id)
{
    return !tasks_find(&f->tasks, id);
}

bool is_accepted(struct fixture *f, uint64_t id)
{
    const struct task *t = tasks_find(&f->tasks, id);
    return t && t->begun && !t->accepted;
}

bool is_placed(struct fixture *f, uint64_t id)
{
    const struct task *t = tasks_find(&f->tasks, id);
    return t && t->has_place && !t->attempt;
}

bool is_recorded(struct fixture *f, uint64_t id)
{
    const struct task *t = tasks_find(&f->tasks, id);
    return t && t->attempt;
}

bool is_running(struct fixture *f, uint64_t id)
{
    const struct task *t = tasks_find(&f->tasks, id);
    return t && t->state == TASK_RUNNING;
}

bool is_ending(struct fixture *f, uint64_t id)
{
    const struct task *t = tasks_find(&f->tasks, id);
    return t && t->ending;
}

bool is_waiting_for_fate(struct fixture *f, uint64_t id)
{
    const struct task *t = tasks_find(&f->tasks, id);
    return t && t->awaits == AWAITS_SPAWNER;
}

static bool is_timed(struct fixture *f, uint64_t id)
{
    const struct task *t = tasks_find(&f->tasks, id);
    return t && t->awaits == AWAITS_TIMER;
}

static bool is_in_line(struct fixture *f, uint64_t id)
{
    const struct task *t = tasks_find(&f->tasks, id);
    return t && t->awaits == AWAITS_SLOT;
}

/* ---- doing ---- */

struct task *find(struct fixture *f, uint64_t id)
{
    struct task *t = tasks_find(&f->tasks, id);
    assert_non_null(t);
    return t;
}

uint64_t submit_at(struct fixture *f, const struct function *function, uint64_t in_ns)
{
    struct function_call call = {.args = notation_value("{'n': 1}"), .title = "a title"};
    struct submit s = {.uid = SOMEBODY,
                       .gid = 100,
                       .function = function,
                       .call = &call,
                       .due_ns = in_ns ? clock_boot() + in_ns : 0,
                       .due_wall_ns = in_ns ? clock_wall() + in_ns : 0};
    struct err err = ERR_INIT;
    struct task *t = NULL;
    int r = tasks_submit(&f->tasks, &s, &t, &err);
    function_call_done(&call);
    assert_string_equal(err.msg, "");
    assert_int_equal(r, 0);
    return t->id;
}

uint64_t submit(struct fixture *f, const struct function *function)
{
    return submit_at(f, function, 0);
}

bool cancel(struct fixture *f, uint64_t id, bool kill)
{
    struct store_call *call = tasks_cancel(find(f, id), SOMEBODY, kill);
    if (!call)
        return false;
    real_loop_run_until(&f->real, &call->future);
    assert_int_equal(call->op.err, 0);
    store_call_unref(call);
    return true;
}

void finish(struct fixture *f, uint64_t id)
{
    life_until(f, is_running, id);
    script_return(find(f, id), notation_value("7"));
    life_until(f, is_gone, id);
}

/* ---- looking ---- */

void assert_outcome(struct fixture *f, uint64_t id, enum store_outcome outcome,
                    uint32_t attempt, const char *result)
{
    struct store_call *call = store_call_new(f->tasks.sched, STORE_GET);
    assert_non_null(call);
    call->op.id = id;
    real_loop_run_until(&f->real, store_call_start(call, f->store));
    assert_int_equal(call->op.err, 0);
    const struct store_task *row = &call->op.rows[0];
    assert_int_equal(row->outcome, outcome);
    assert_int_equal(row->attempt, attempt);
    if (result)
        assert_value(row->result, result);
    else
        assert_null(row->result);
    store_call_unref(call);
}

void assert_held(const struct fixture *f, uint32_t slots, uint32_t places)
{
    list_for_each (it, &f->tasks.groups.all) {
        const struct group *group = container_of(it, struct group, node);
        assert_int_equal(group->slots_held, slots);
        assert_int_equal(group->places_held, places);
    }
}

void assert_counts(struct fixture *f, uint32_t live, uint64_t ok, uint64_t failed,
                   uint64_t cancelled)
{
    const struct user *user = tasks_user(&f->tasks, SOMEBODY);
    assert_int_equal(
        user->live[TASK_PENDING] + user->live[TASK_RUNNING] + user->live[TASK_SUSPENDED], live);
    assert_int_equal(f->tasks.table.live, live);
    assert_int_equal(user->finished.ok, ok);
    assert_int_equal(user->finished.failed, failed);
    assert_int_equal(user->finished.cancelled, cancelled);
}

/* ---- phases ---- */

/* So many others that run or are ahead. */
static void reach_behind(struct fixture *f, unsigned others)
{
    uint64_t id = 0;
    for (unsigned i = 0; i < others; i++)
        id = submit(f, &script_work);
    life_until(f, others == 1 ? is_running : is_recorded, id);
}

uint64_t reach(struct fixture *f, enum phase phase)
{
    static bool (*const there[PHASES])(struct fixture *, uint64_t) = {
        NULL,      NULL,        is_timed,   is_waiting_for_fate, is_in_line,
        is_placed, is_recorded, is_running, is_running,
    };
    if (phase != PHASE_GATE)
        tasks_spawner_live(&f->tasks);
    one_turn(f);
    if (phase == PHASE_PLACE)
        reach_behind(f, 1 + LIMIT_AHEAD);
    if (phase == PHASE_SLOT)
        reach_behind(f, 1);
    uint64_t id = submit_at(f, &script_work, phase == PHASE_TIMER ? 3600 * NSEC_PER_SEC : 0);
    if (phase == PHASE_COMMIT)
        one_turn(f);
    else if (phase != PHASE_NEW)
        life_until(f, there[phase], id);
    if (phase == PHASE_ENDING) {
        script_return(find(f, id), notation_value("7"));
        life_until(f, is_ending, id);
    }
    return id;
}
