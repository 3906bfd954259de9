/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * rpc - the envelope: MessagePack-RPC as its specification says
 * (https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md).
 *
 *     request      [0, msgid, method, [params]]
 *     response     [1, msgid, error, result]
 *     notification [2, method, [params]]
 *
 * `params` is one map; `[]`, `[[]]` and `[{}]` all mean the empty map, because generic clients
 * cannot tell an empty map from an empty list. Method names are str or bin.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "proto/unpack.h"

enum {
    PROTO_VERSION = 1
}; /* of PROTOCOL.md; grows when something old clients rely on changes */

enum rpc_type { RPC_REQUEST = 0, RPC_RESPONSE = 1, RPC_NOTIFICATION = 2 };

struct rpc_message {
    enum rpc_type type;
    uint32_t msgid;               /* of requests and responses */
    struct bytes method;          /* of requests and notifications */
    const msgpack_object *params; /* likewise: a map, or NULL for the empty one */
    bool params_wrong;            /* a request whose params are neither: answer "invalid" */
    const msgpack_object *error;  /* of responses; nil: none */
    const msgpack_object *result;
};

/* Reads an envelope out of an unpacked message; everything is borrowed from it. 0, or -EBADMSG
 * with a sentence: the connection has to be closed. */
int rpc_read(const struct unpacked *, struct rpc_message *ret, struct err *);

/* Heads: exactly one object has to be packed behind each of them. */
void rpc_write_request(struct buf *, uint32_t msgid,
                       const char *method);                    /* then: the params map */
void rpc_write_notification(struct buf *, const char *method); /* then: the params map */
void rpc_write_result(struct buf *, uint32_t msgid);           /* then: the result */
/* A whole response with an error: `[0, "word: sentence"]`, the form that Neovim and its kin
 * show, or, for a connection that asked for it by hello {errors: "map"}, {code, message,
 * details}. details may be NULL. */
void rpc_write_error(struct buf *, uint32_t msgid, const struct err *,
                     const struct value *details, bool as_map);
/* The error of a response, in either form, as an err. 0 when it is nil, else err->code. */
int rpc_read_error(const msgpack_object *error, struct err *ret);
