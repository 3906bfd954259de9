/* SPDX-License-Identifier: MIT */
/* hello - who is there, and how this connection wants its errors. */
#include <errno.h>
#include <unistd.h>

#include "daemon/control/connection.h"
#include "daemon/control/methods.h"
#include "proto/rpc.h"

struct hello_params {
    struct bytes errors;
    uint64_t version;
    struct bytes client;
};

static const struct field hello_fields[] = {
    {"errors", FIELD_TEXT, false, offsetof(struct hello_params, errors), 0},
    {"version", FIELD_UINT, false, offsetof(struct hello_params, version), 0},
    {"client", FIELD_TEXT, false, offsetof(struct hello_params, client), 0},
};

static void hello_uuid(struct buf *b, const uint8_t *uuid)
{
    char text[2 * STORE_UUID_BYTES];
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < STORE_UUID_BYTES; i++) {
        text[2 * i] = digits[uuid[i] >> 4];
        text[2 * i + 1] = digits[uuid[i] & 15];
    }
    pack_text_n(b, text, sizeof(text));
}

static struct aio_next hello_begin(struct aio_co *co)
{
    struct call *call = container_of(co, struct method_frame, co)->call;
    const struct control *control = call->control;
    struct hello_params p = {.version = PROTO_VERSION};
    if (call_params(call, hello_fields, ARRAY_SIZE(hello_fields), &p) < 0)
        return call_raise(call, co);
    if (p.version != PROTO_VERSION)
        return call_fail(call, co, -EOPNOTSUPP, "this aiod speaks version %d of the protocol",
                         PROTO_VERSION);
    bool map = bytes_equal(p.errors, "map");
    if (p.errors.data && !map && !bytes_equal(p.errors, "list"))
        return call_fail(call, co, -EINVAL, "\"errors\" must be \"map\" or \"list\"");
    if (call->connection)
        call->connection->errors_map = map;

    char client[BYTES_QUOTE_MAX];
    log_debug(control->log, "hello from uid %u, pid %u, %s", call->peer->uid, call->peer->pid,
              bytes_quote(client, p.client));

    struct buf b = BUF_INIT;
    pack_map(&b, 8);
    pack_text(&b, "version");
    pack_uint(&b, PROTO_VERSION);
    pack_text(&b, "aiod");
    pack_text(&b, AIOD_VERSION);
    pack_text(&b, "instance");
    hello_uuid(&b, control->instance);
    pack_text(&b, "pid");
    pack_uint(&b, (uint64_t)getpid());
    pack_text(&b, "uid");
    pack_uint(&b, call->peer->uid);
    pack_text(&b, "owner");
    pack_uint(&b, control->owner_uid);
    pack_text(&b, "system");
    pack_bool(&b, control->system);
    pack_text(&b, "socket");
    pack_text(&b, control->socket_path);
    return call_return(co, &b);
}

const struct aio_co_fn method_hello = {"hello", sizeof(struct method_frame),
                                       STEP_INIT(hello_begin), NULL};
