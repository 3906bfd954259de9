/* SPDX-License-Identifier: MIT */
#include "daemon/control/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"

void query_done(struct query *q)
{
    defs_freep(&q->group);
    defs_freep(&q->name);
}

static int query_read_states(struct query *q, const msgpack_object *states, struct err *err)
{
    for (int state = 0; state < TASK_STATES; state++)
        q->states[state] = !states;
    for (uint32_t i = 0; states && i < states->via.array.size; i++) {
        struct bytes text = object_text(&states->via.array.ptr[i]);
        int state = 0;
        while (state < TASK_STATES && !bytes_equal(text, task_state_name(state)))
            state++;
        if (state == TASK_STATES)
            return err_set(err, -EINVAL,
                           "\"states\" takes PENDING, RUNNING, SUSPENDED and DONE");
        q->states[state] = true;
    }
    return 0;
}

static int query_read_outcomes(struct query *q, const msgpack_object *outcomes, struct err *err)
{
    for (uint32_t i = 0; outcomes && i < outcomes->via.array.size; i++) {
        struct bytes text = object_text(&outcomes->via.array.ptr[i]);
        int o = STORE_OK;
        while (o <= STORE_CANCELLED && !bytes_equal(text, task_outcome_name(o)))
            o++;
        if (o > STORE_CANCELLED)
            return err_set(err, -EINVAL, "\"outcomes\" takes ok, failed and cancelled");
        q->outcomes |= 1u << o;
    }
    return 0;
}

static int query_read_time(const char *name, struct bytes text, uint64_t *ret, struct err *err)
{
    if (!text.data)
        return 0;
    _cleanup_(defs_freep) char *time = bytes_dup(text);
    if (!time)
        return err_set(err, -ENOMEM, "out of memory");
    if (parse_time(time, (time_t)(clock_wall() / NSEC_PER_SEC), ret) < 0)
        return err_set(err, -EINVAL, "\"%s\" must be a time like 2026-01-31T14:30:00Z", name);
    if (*ret == 0) /* 1970 */
        *ret = 1;
    return 0;
}

static int query_read_text(struct bytes text, char **ret, struct err *err)
{
    if (text.data && !(*ret = bytes_dup(text)))
        return err_set(err, -ENOMEM, "out of memory");
    return 0;
}

int query_read(struct query *q, const struct query_params *p, struct err *err)
{
    int r = query_read_states(q, p->states, err);
    if (r == 0)
        r = query_read_outcomes(q, p->outcomes, err);
    if (r == 0)
        r = query_read_text(p->group, &q->group, err);
    if (r == 0)
        r = query_read_text(p->name, &q->name, err);
    if (r == 0)
        r = query_read_time("since", p->since, &q->since_ns, err);
    if (r == 0)
        r = query_read_time("until", p->until, &q->until_ns, err);
    bool done_alone = q->outcomes && !p->states;
    for (int state = 0; state < TASK_DONE; state++) {
        q->states[state] &= !done_alone;
        q->live |= q->states[state];
    }
    return r;
}

static bool query_is(const char *wanted, const char *text)
{
    return !wanted || (text && strcmp(wanted, text) == 0);
}

static bool query_in_time(const struct query *q, uint64_t ns)
{
    return ns >= q->since_ns && (!q->until_ns || ns < q->until_ns);
}

bool query_wants_live(const struct query *q, const struct task *t)
{
    return q->states[t->state] && query_is(q->group, t->group->name) &&
           query_is(q->name, t->name) && query_in_time(q, t->since_ns);
}

bool query_wants_row(const struct query *q, const struct store_task *row)
{
    return q->states[TASK_DONE] && (!q->outcomes || q->outcomes & 1u << row->outcome) &&
           query_is(q->group, row->group) && query_is(q->name, row->name) &&
           query_in_time(q, row->ended_ns);
}
