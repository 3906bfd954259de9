/* SPDX-License-Identifier: MIT */
/*
 * aioctl logs - what a task printed, and with -f what it prints until it is DONE.
 *
 * The output comes in notifications before the response; on a terminal it passes through the
 * escape stream. With -f in time order: the word is made an id; what is there already comes, and
 * the answer tells which attempt and byte that reaches; from there it is followed, after a
 * restart of the event loop from the next byte that has not been written yet.
 */
#include <unistd.h>

#include "client/chosen.h"
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

/* Where the output goes, and what is asked for next. */
struct cmd_logs_sink {
    const struct cmd_logs *options; /* borrowed */
    const char *word;               /* borrowed: the task as it was named */
    uint64_t id;                    /* what it means; 0: the daemon is to find out */
    uint64_t attempt;               /* 0: the last one */
    uint64_t offset;                /* of the next byte, once begun */
    bool begun; /* something has been written, or is known to be passed over */
    bool follow;
    bool filter; /* stdout is a terminal */
    struct escape_stream stream;
};

static int cmd_logs_write(struct cmd_logs_sink *sink, struct bytes data, struct err *err)
{
    if (!sink->filter)
        return output_write(STDOUT_FILENO, data.data, data.len, err);
    _cleanup_(buf_done) struct buf out = BUF_INIT;
    escape_stream_feed(&sink->stream, &out, data.data, data.len);
    return output_flush(STDOUT_FILENO, &out, err);
}

static int cmd_logs_output(void *arg, const struct rpc_message *message, struct err *err)
{
    struct cmd_logs_sink *sink = arg;
    struct bytes data = map_text(message->params, "data");
    if (!bytes_equal(message->method, "logs") || !data.data)
        return 0;
    int r = cmd_logs_write(sink, data, err);
    sink->offset = map_uint(message->params, "offset", sink->offset) + data.len;
    sink->attempt = map_uint(message->params, "attempt", sink->attempt);
    sink->begun = true;
    return r;
}

static void cmd_logs_pack(void *arg, struct buf *b, bool again)
{
    const struct cmd_logs_sink *sink = arg;
    const struct cmd_logs *o = sink->options;
    struct pack_map_place map = pack_map_begin(b);
    (void)again;
    pack_key(b, &map, "id");
    if (sink->id)
        pack_uint(b, sink->id);
    else
        pack_text(b, sink->word);
    pack_key(b, &map, "stream");
    pack_text(b, o->err ? "err" : "out");
    if (sink->begun) {
        pack_key(b, &map, "offset");
        pack_uint(b, sink->offset);
    } else if (o->lines.given) {
        pack_key(b, &map, "tail");
        pack_uint(b, o->lines.value);
    }
    if (sink->attempt) {
        pack_key(b, &map, "attempt");
        pack_uint(b, sink->attempt);
    }
    if (sink->follow) {
        pack_key(b, &map, "follow");
        pack_bool(b, true);
    }
    pack_map_end(b, &map);
}

/* What is there, and from where to go on. */
static int cmd_logs_begin(struct context *c, struct cmd_logs_sink *sink, struct err *err)
{
    _cleanup_(reply_freep) struct reply *reply = NULL;
    int r = chosen_one(c, sink->word, &sink->id, err);
    if (r == 0)
        r = context_call_again(c, "logs", cmd_logs_pack, sink, &reply, err);
    if (r < 0)
        return r;
    sink->offset = map_uint(reply->result, "offset", sink->offset);
    sink->begun = true;
    if (sink->offset > 0) /* there is a file, of that attempt */
        sink->attempt = map_uint(reply->result, "attempt", sink->attempt);
    return 0;
}

static int cmd_logs_read(struct context *c, struct cmd_logs_sink *sink, struct err *err)
{
    if (sink->options->follow) {
        int r = cmd_logs_begin(c, sink, err);
        sink->follow = true;
        return r < 0 ? r : context_call_again(c, "logs", cmd_logs_pack, sink, NULL, err);
    }
    struct buf params = BUF_INIT;
    cmd_logs_pack(sink, &params, false);
    return context_call(c, "logs", &params, NULL, err);
}

static int cmd_logs_run(struct context *c, const void *options, char **words, size_t n)
{
    const struct cmd_logs *o = options;
    struct cmd_logs_sink sink = {
        .options = o,
        .word = n > 0 ? words[0] : "last",
        .attempt = o->attempt.value,
        .filter = !o->raw && isatty(STDOUT_FILENO),
    };
    struct buf rest = BUF_INIT;
    struct err err = ERR_INIT;
    int r = context_connect(c, &err);
    c->link.on_notification = cmd_logs_output;
    c->link.notification_arg = &sink;
    if (r == 0)
        r = cmd_logs_read(c, &sink, &err);
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
            "the bytes come as they are. With -f it goes on when the event loop is restarted.",
    .options = cmd_logs_defs,
    .noptions = ARRAY_SIZE(cmd_logs_defs),
    .options_size = sizeof(struct cmd_logs),
    .max_words = 1,
    .run = cmd_logs_run,
};
