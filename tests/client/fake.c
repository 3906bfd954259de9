/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/json.h"
#include "proto/error.h"
#include "proto/pack.h"
#include "proto/scan.h"
#include "proto/unpack.h"

void fake_done(struct fake *f)
{
    buf_done(&f->out);
    buf_done(&f->trace);
}

void fake_error(struct fake *f, uint32_t msgid, int code, const char *sentence)
{
    pack_array(&f->out, 4);
    pack_uint(&f->out, RPC_RESPONSE);
    pack_uint(&f->out, msgid);
    pack_map(&f->out, 2);
    pack_text(&f->out, "code");
    pack_text(&f->out, proto_error_word(code));
    pack_text(&f->out, "message");
    pack_text(&f->out, sentence);
    pack_nil(&f->out);
}

void fake_logs(struct fake *f, uint32_t msgid, const char *stream, const char *data)
{
    rpc_write_notification(&f->out, "logs");
    pack_map(&f->out, 3);
    pack_text(&f->out, "request");
    pack_uint(&f->out, msgid);
    pack_text(&f->out, "stream");
    pack_text(&f->out, stream);
    pack_text(&f->out, "data");
    pack_bin(&f->out, data, strlen(data));
}

void fake_task(struct fake *f, const char *function, const char *outcome, const char *type,
               const char *key, int number)
{
    pack_map(&f->out, type ? 6 : 5);
    pack_text(&f->out, "id");
    pack_uint(&f->out, 7);
    pack_text(&f->out, "function");
    pack_text(&f->out, function);
    pack_text(&f->out, "title");
    pack_text(&f->out, "a title");
    pack_text(&f->out, "outcome");
    pack_text(&f->out, outcome);
    pack_text(&f->out, "done");
    pack_bool(&f->out, true);
    if (!type)
        return;
    pack_text(&f->out, "error");
    pack_map(&f->out, 3);
    pack_text(&f->out, "type");
    pack_text(&f->out, type);
    pack_text(&f->out, "message");
    pack_text(&f->out, "it broke");
    pack_text(&f->out, key);
    pack_int(&f->out, number);
}

void fake_answer_task(struct fake *f, const struct rpc_message *m)
{
    rpc_write_result(&f->out, m->msgid);
    fake_task(f, "exec", "ok", NULL, NULL, 0);
}

void fake_close(struct fake *f, const struct rpc_message *m)
{
    (void)m;
    f->closing = true;
}

static bool fake_hello_never(struct fake *f)
{
    (void)f;
    return false;
}

void fake_close_for_good(struct fake *f, const struct rpc_message *m)
{
    fake_close(f, m);
    f->hello = fake_hello_never;
}

static void fake_hello(struct fake *f, uint32_t msgid)
{
    if (f->hello && !f->hello(f)) {
        f->closing = true;
        return;
    }
    rpc_write_result(&f->out, msgid);
    pack_map(&f->out, f->instance ? 2 : 1);
    pack_text(&f->out, "version");
    pack_uint(&f->out, PROTO_VERSION);
    if (f->instance) {
        pack_text(&f->out, "instance");
        pack_text(&f->out, f->instance);
    }
}

static void fake_handle(struct fake *f, const struct rpc_message *m)
{
    if (bytes_equal(m->method, "hello")) {
        fake_hello(f, m->msgid);
        return;
    }
    f->requests++;
    buf_append(&f->trace, m->method.data, m->method.len);
    buf_puts(&f->trace, " ");
    json_write(&f->trace, m->params);
    buf_puts(&f->trace, "\n");
    f->handler(f, m);
}

/* False: the other side is gone. */
static bool fake_send(struct fake *f, int fd)
{
    for (size_t sent = 0; sent < f->out.len;) {
        size_t left = f->out.len - sent;
        ssize_t n = send(fd, f->out.data + sent, f->bytewise ? 1 : left, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    buf_clear(&f->out);
    return true;
}

/* Handles the message at the beginning of `in`. */
static bool fake_message(struct fake *f, const struct buf *in, size_t len)
{
    struct unpacked unpacked = UNPACKED_INIT;
    struct rpc_message message;
    struct err err = ERR_INIT;
    bool good = unpack(&unpacked, in->data, len) == 0 &&
                rpc_read(&unpacked, &message, &err) == 0 && message.type == RPC_REQUEST &&
                !message.params_wrong;
    if (good)
        fake_handle(f, &message);
    unpacked_done(&unpacked);
    return good;
}

bool fake_serve(struct fake *f, int fd_taken)
{
    struct buf in = BUF_INIT;
    struct scan scan;
    struct err err = ERR_INIT;
    bool good = true;
    size_t scanned = 0;
    scan_init(&scan);
    while (good && !f->closing) {
        size_t used = 0;
        int r = scan_feed(&scan, in.data + scanned, in.len - scanned, &used, &err);
        scanned += used;
        if (r == SCAN_DONE) {
            good = fake_message(f, &in, scanned);
            buf_consume(&in, scanned);
            scanned = 0;
            if (!fake_send(f, fd_taken))
                break;
            continue;
        }
        good = r == SCAN_MORE && buf_reserve(&in, 4096) == 0;
        ssize_t n = good ? recv(fd_taken, in.data + in.len, 4096, 0) : 0;
        if (n <= 0)
            break;
        in.len += (size_t)n;
    }
    (void)close(fd_taken);
    buf_done(&in);
    return good;
}
