/* SPDX-License-Identifier: MIT */
#include "daemon/control/methods.h"

#include "daemon/control/call.h"

/* Sorted by how often they are called. */
static const struct method methods[] = {
    {"submit", &method_submit}, {"await", &method_await},         {"wait", &method_wait},
    {"status", &method_status}, {"task", &method_task},           {"result", &method_result},
    {"logs", &method_logs},     {"cancel", &method_cancel},       {"remove", &method_remove},
    {"hello", &method_hello},   {"functions", &method_functions}, {"groups", &method_groups},
    {"health", &method_health},
};

const struct method *methods_find(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (bytes_equal(name, methods[i].name))
            return &methods[i];
    return NULL;
}
