/* SPDX-License-Identifier: MIT */
/*
 * aioctl logs - what a task printed, and with -f what it prints until it is DONE.
 *
 * The output comes in notifications before the response; on a terminal it passes through the
 * escape stream.
 */
#include <unistd.h>

#include "client/context.h"
#include "client/escape.h"
#include "client/ids.h"
#include "client/output.h"
#include "proto/pack.h"

struct cmd_logs {
    bool follow;
    bool err;
    bool raw;
    struct option_number lines;
    struct option_number attempt;
};

#define LOGS(member) offsetof(struct cmd_logs, member)
static const struct option_def cmd_logs_defs[] = {
    {"follow", 'f', OPTION_FLAG, NULL, "go on until the task is DONE", LOGS(follow)},
    {"lines", 'n', OPTION_COUNT, "N", "only the last N lines", LOGS(lines)},
    {"stderr", 0, OPTION_FLAG, NULL, "stderr of a task that keeps it apart (--split, run)",
     LOGS(err)},
    {"attempt", 0, OPTION_COUNT, "N", "of this attempt; otherwise of the last", LOGS(attempt)},
    {"raw", 0, OPTION_FLAG, NULL, "on a terminal too: every byte as it is", LOGS(raw)},
};
#undef LOGS

struct cmd_logs_sink {
    bool filter; /* stdout is a terminal */
    struct escape_stream stream;
};

static int cmd_logs_output(void *arg, const struct rpc_message *message, struct err *err)
{
    struct cmd_logs_sink *sink = arg;
    struct bytes data = map_text(message->params, "data");
    if (!bytes_equal(message->method, "logs") || !data.data)
        return 0;
    if (!sink->filter)
        return output_write(STDOUT_FILENO, data.data, data.len, err);
    _cleanup_(buf_done) struct buf out = BUF_INIT;
    escape_stream_feed(&sink->stream, &out, data.data, data.len);
    return output_flush(STDOUT_FILENO, &out, err);
}

static void cmd_logs_pack(struct buf *b, const struct cmd_logs *o, const char *word)
{
    struct pack_map_place map = pack_map_begin(b);
    pack_key(b, &map, "id");
    pack_text(b, word);
    pack_key(b, &map, "stream");
    pack_text(b, o->err ? "err" : "out");
    if (o->lines.given) {
        pack_key(b, &map, "tail");
        pack_uint(b, o->lines.value);
    }
    if (o->attempt.given) {
        pack_key(b, &map, "attempt");
        pack_uint(b, o->attempt.value);
    }
    if (o->follow) {
        pack_key(b, &map, "follow");
        pack_bool(b, true);
    }
    pack_map_end(b, &map);
}

static int cmd_logs_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_logs *o = options;
    struct cmd_logs_sink sink = {!o->raw && isatty(STDOUT_FILENO), ESCAPE_STREAM_INIT};
    _cleanup_(reply_freep) struct reply *reply = NULL;
    struct buf params = BUF_INIT;
    struct buf rest = BUF_INIT;
    struct err err = ERR_INIT;
    int r = context_connect(c, &err);
    c->link.on_notification = cmd_logs_output;
    c->link.notification_arg = &sink;
    cmd_logs_pack(&params, o, n > 0 ? words[0] : "last");
    if (r == 0)
        r = context_call(c, "logs", &params, &reply, &err);
    buf_done(&params);
    escape_stream_end(&sink.stream, &rest);
    int status = context_print(c, &rest);
    return r < 0 ? context_fail(c, &err) : status;
}

const struct command cmd_logs = {
    .name = "logs",
    .synopsis = "[OPTION…] [ID]",
    .summary = "what a task printed; the newest task's by default",
    .text = "On a terminal colours pass and other control sequences are shown escaped; "
            "anywhere else\n"
            "the bytes come as they are.",
    .options = cmd_logs_defs,
    .noptions = ARRAY_SIZE(cmd_logs_defs),
    .options_size = sizeof(struct cmd_logs),
    .max_words = 1,
    .run = cmd_logs_run,
};
