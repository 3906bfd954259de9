/* SPDX-License-Identifier: MIT */
#include "daemon/control/methods.h"

#include "daemon/control/call.h"
#include "daemon/control/rounds.h"

/* Sorted by how often they are called. */
static const struct method methods[] = {
    {"submit", &method_submit}, {"await", &method_await},   {"wait", &method_wait},
    {"status", &method_status}, {"task", &method_task},     {"result", &method_result},
    {"logs", &method_logs},     {"cancel", &method_cancel}, {"remove", &method_remove},
    {"retry", &method_retry},   {"events", &method_events}, {"hello", &method_hello},
    {"groups", &method_groups}, {"group", &method_group},   {"functions", &method_functions},
    {"health", &method_health},
};

_Static_assert(ARRAY_SIZE(methods) <= ROUNDS_KINDS, "each method is a kind of its own");

unsigned methods_kind(const struct method *method)
{
    return (unsigned)(method - methods);
}

const struct method *methods_find(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (bytes_equal(name, methods[i].name))
            return &methods[i];
    return NULL;
}
