/* SPDX-License-Identifier: MIT */
/*
 * outcome - reads {outcome, result, error} of a finished task.
 */
#include "client/outcome.h"

#include <signal.h>

#include "client/escape.h"
#include "client/exit.h"
#include "proto/unpack.h"

bool outcome_is(const msgpack_object *task, const char *outcome)
{
    return bytes_equal(map_text(task, "outcome"), outcome);
}

void outcome_sentence(struct buf *b, const msgpack_object *task)
{
    if (outcome_is(task, "cancelled"))
        buf_puts(b, "cancelled");
    if (!outcome_is(task, "failed"))
        return;
    const msgpack_object *error = map_get(task, "error");
    struct bytes message = map_text(error, "message");
    struct bytes type = map_text(error, "type");
    int64_t exit = map_int(error, "exit", -1);
    int64_t signal = map_int(error, "signal", -1);
    if (message.len > 0) {
        escape_text(b, message.data, message.len);
    } else if (signal > 0) {
        const char *name = sigabbrev_np((int)signal);
        buf_printf(b, "signal %lld%s%s", (long long)signal, name ? " SIG" : "",
                   name ? name : "");
    } else if (exit >= 0) {
        buf_printf(b, "exit %lld", (long long)exit);
    } else if (type.len > 0) {
        escape_text(b, type.data, type.len);
    } else {
        buf_puts(b, "failed");
    }
}

int outcome_exit(const msgpack_object *task)
{
    return outcome_is(task, "ok") ? EXIT_OK : EXIT_TASK_FAILED;
}

int outcome_own_exit(const msgpack_object *task)
{
    if (outcome_is(task, "ok"))
        return EXIT_OK;
    const msgpack_object *error = map_get(task, "error");
    int64_t exit = map_int(error, "exit", -1);
    int64_t signal = map_int(error, "signal", -1);
    if (signal > 0 && signal < 128)
        return EXIT_SIGNAL + (int)signal;
    if (outcome_is(task, "cancelled"))
        return bytes_equal(map_text(task, "function"), "exec") ? EXIT_SIGNAL + SIGTERM
                                                               : EXIT_TASK_FAILED;
    return exit > 0 && exit < 256 ? (int)exit : EXIT_TASK_FAILED;
}
