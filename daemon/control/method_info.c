/* SPDX-License-Identifier: MIT */
/*
 * functions, groups, health - what there is, without waiting for anything.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/control/control.h"
#include "daemon/control/methods.h"
#include "daemon/control/summary.h"

static const char *info_param_type(enum param_type type)
{
    switch (type) {
    case PARAM_TEXT:
        return "text";
    case PARAM_TEXTS:
        return "texts";
    case PARAM_DURATION:
        return "duration";
    case PARAM_UINT:
        return "number";
    case PARAM_BOOL:
        return "bool";
    }
    return "any";
}

static void info_pack_param(struct buf *b, const struct param *p)
{
    pack_map(b, 5);
    pack_text(b, "name");
    pack_text(b, p->name);
    pack_text(b, "type");
    pack_text(b, info_param_type(p->type));
    pack_text(b, "required");
    pack_bool(b, p->required);
    pack_text(b, "many");
    pack_bool(b, p->many);
    pack_text(b, "summary");
    pack_text(b, p->summary);
}

static struct aio_next functions_begin(struct aio_co *co)
{
    struct call *call = container_of(co, struct method_frame, co)->call;
    const struct functions *functions = &call->control->tasks->functions;
    struct buf b = BUF_INIT;
    if (call_params(call, NULL, 0, NULL) < 0)
        return call_raise(call, co);
    pack_array(&b, functions->len);
    for (size_t i = 0; i < functions->len; i++) {
        const struct function *fn = functions->all[i];
        pack_map(&b, 4);
        pack_text(&b, "name");
        pack_text(&b, fn->name);
        pack_text(&b, "summary");
        pack_text(&b, fn->summary);
        pack_text(&b, "slot");
        pack_bool(&b, fn->slot);
        pack_text(&b, "params");
        pack_array(&b, fn->nparams);
        for (size_t p = 0; p < fn->nparams; p++)
            info_pack_param(&b, &fn->params[p]);
    }
    return call_return(co, &b);
}

static struct aio_next groups_begin(struct aio_co *co)
{
    struct call *call = container_of(co, struct method_frame, co)->call;
    struct buf b = BUF_INIT;
    if (call_params(call, NULL, 0, NULL) < 0)
        return call_raise(call, co);
    summary_groups(call, &b);
    return call_return(co, &b);
}

/* Resident memory in KiB, from /proc/self/statm, which asks no disk and waits for no lock; 0
 * where it cannot be read. */
static uint64_t health_rss(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return 0;
    if (fscanf(statm, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(statm);
    return pages * ((uint64_t)sysconf(_SC_PAGESIZE) / 1024);
}

static void health_loop(struct buf *b, const struct control *control)
{
    const struct aio_sched *sched = control->tasks->sched;
    uint64_t up = clock_awake() - control->started_ns;
    pack_map(b, 5);
    pack_text(b, "busy");
    pack_double(b, up ? (double)sched->run_ns / (double)up : 0);
    pack_text(b, "steps");
    pack_uint(b, sched->steps);
    pack_text(b, "longest_us");
    pack_uint(b, sched->longest_ns / 1000);
    pack_text(b, "lag_max_us");
    pack_uint(b, control->loop->lag_max_ns / 1000);
    pack_text(b, "tasks");
    pack_uint(b, sched->tasks);
}

static struct aio_next health_begin(struct aio_co *co)
{
    struct call *call = container_of(co, struct method_frame, co)->call;
    const struct control *control = call->control;
    if (call_params(call, NULL, 0, NULL) < 0)
        return call_raise(call, co);
    struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    pack_key(&b, &map, "aiod");
    pack_text(&b, AIOD_VERSION);
    pack_key(&b, &map, "pid");
    pack_uint(&b, (uint64_t)getpid());
    pack_key(&b, &map, "socket");
    pack_text(&b, control->socket_path);
    pack_key(&b, &map, "up_s");
    pack_double(&b, (double)(clock_awake() - control->started_ns) / (double)NSEC_PER_SEC);
    pack_key(&b, &map, "loop");
    health_loop(&b, control);
    pack_key(&b, &map, "tasks");
    summary_counts(call, &b);
    pack_key(&b, &map, "connections");
    pack_uint(&b, control->count);
    pack_key(&b, &map, "rss_kib");
    pack_uint(&b, health_rss());
    control->health(control->ctx, &b, &map);
    pack_map_end(&b, &map);
    return call_return(co, &b);
}

const struct aio_co_fn method_functions = {"functions", sizeof(struct method_frame),
                                           STEP_INIT(functions_begin), NULL};
const struct aio_co_fn method_groups = {"groups", sizeof(struct method_frame),
                                        STEP_INIT(groups_begin), NULL};
const struct aio_co_fn method_health = {"health", sizeof(struct method_frame),
                                        STEP_INIT(health_begin), NULL};
