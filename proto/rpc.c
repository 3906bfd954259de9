/* SPDX-License-Identifier: MIT */
/*
 * rpc - reading is strict about the envelope (a broken one closes the connection) and lenient
 * about what is in it: wrong params are the method's error, params of notifications are
 * nobody's.
 */
#include "proto/rpc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "proto/error.h"
#include "proto/pack.h"

static int rpc_bad(struct err *err, const char *sentence)
{
    return err_set(err, -EBADMSG, "%s", sentence);
}

static bool rpc_read_msgid(const msgpack_object *o, uint32_t *ret)
{
    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > UINT32_MAX)
        return false;
    *ret = (uint32_t)o->via.u64;
    return true;
}

/* `[{…}]`, or one of the three forms of the empty map; false for anything else. */
static bool rpc_read_params(const msgpack_object *o, const msgpack_object **ret)
{
    *ret = NULL;
    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size > 1)
        return false;
    if (o->via.array.size == 0)
        return true;
    const msgpack_object *only = &o->via.array.ptr[0];
    if (only->type == MSGPACK_OBJECT_ARRAY)
        return only->via.array.size == 0;
    if (only->type != MSGPACK_OBJECT_MAP)
        return false;
    if (only->via.map.size > 0)
        *ret = only;
    return true;
}

static int rpc_read_request(const msgpack_object_array *a, struct rpc_message *m,
                            struct err *err)
{
    if (a->size != 4)
        return rpc_bad(err, "a request has four elements: [0, msgid, method, [params]]");
    if (!rpc_read_msgid(&a->ptr[1], &m->msgid))
        return rpc_bad(err, "the msgid of a request must be an integer of 32 bits, unsigned");
    m->method = object_text(&a->ptr[2]);
    if (!m->method.data)
        return rpc_bad(err, "the method of a request must be a text");
    m->params_wrong = !rpc_read_params(&a->ptr[3], &m->params);
    return 0;
}

static int rpc_read_response(const msgpack_object_array *a, struct rpc_message *m,
                             struct err *err)
{
    if (a->size != 4)
        return rpc_bad(err, "a response has four elements: [1, msgid, error, result]");
    if (!rpc_read_msgid(&a->ptr[1], &m->msgid))
        return rpc_bad(err, "the msgid of a response must be an integer of 32 bits, unsigned");
    m->error = &a->ptr[2];
    m->result = &a->ptr[3];
    return 0;
}

static int rpc_read_notification(const msgpack_object_array *a, struct rpc_message *m,
                                 struct err *err)
{
    if (a->size != 3)
        return rpc_bad(err, "a notification has three elements: [2, method, [params]]");
    m->method = object_text(&a->ptr[1]);
    if (!m->method.data)
        return rpc_bad(err, "the method of a notification must be a text");
    rpc_read_params(&a->ptr[2], &m->params);
    return 0;
}

int rpc_read(const struct unpacked *u, struct rpc_message *ret, struct err *err)
{
    if (u->root.type != MSGPACK_OBJECT_ARRAY || u->root.via.array.size == 0)
        return rpc_bad(err, "a message must be an array: [type, ...]");
    const msgpack_object_array *a = &u->root.via.array;
    if (a->ptr[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER || a->ptr[0].via.u64 > 2)
        return rpc_bad(err, "the type of a message must be 0, 1 or 2");
    struct rpc_message m = {.type = (enum rpc_type)a->ptr[0].via.u64};
    int r;
    if (m.type == RPC_REQUEST)
        r = rpc_read_request(a, &m, err);
    else if (m.type == RPC_RESPONSE)
        r = rpc_read_response(a, &m, err);
    else
        r = rpc_read_notification(a, &m, err);
    if (r < 0)
        return r;
    *ret = m;
    return 0;
}

void rpc_write_request(struct buf *b, uint32_t msgid, const char *method)
{
    pack_array(b, 4);
    pack_uint(b, RPC_REQUEST);
    pack_uint(b, msgid);
    pack_text(b, method);
    pack_array(b, 1);
}

void rpc_write_notification(struct buf *b, const char *method)
{
    pack_array(b, 3);
    pack_uint(b, RPC_NOTIFICATION);
    pack_text(b, method);
    pack_array(b, 1);
}

void rpc_write_result(struct buf *b, uint32_t msgid)
{
    pack_array(b, 4);
    pack_uint(b, RPC_RESPONSE);
    pack_uint(b, msgid);
    pack_nil(b);
}

void rpc_write_error(struct buf *b, uint32_t msgid, const struct err *err,
                     const struct value *details, bool as_map)
{
    const char *word = proto_error_word(err->code);
    char message[ERR_MSG_MAX];
    snprintf(message, sizeof(message), "%s", err->msg);
    printable_force(message, strlen(message)); /* it may quote what was asked */
    pack_array(b, 4);
    pack_uint(b, RPC_RESPONSE);
    pack_uint(b, msgid);
    if (as_map) {
        pack_map(b, 3);
        pack_text(b, "code");
        pack_text(b, word);
        pack_text(b, "message");
        pack_sentence(b, message);
        pack_text(b, "details");
        pack_value(b, details);
    } else {
        char sentence[ERR_MSG_MAX + 32];
        snprintf(sentence, sizeof(sentence), "%s: %s", word, message);
        pack_array(b, 2);
        pack_uint(b, 0);
        pack_sentence(b, sentence);
    }
    pack_nil(b);
}

static int rpc_set_error(struct err *ret, struct bytes word, struct bytes sentence)
{
    int code = proto_error_from_word(word.data ? word.data : "", word.len);
    return err_set(ret, code, "%.*s",
                   (int)(sentence.len < ERR_MSG_MAX ? sentence.len : ERR_MSG_MAX),
                   sentence.data ? sentence.data : "");
}

int rpc_read_error(const msgpack_object *error, struct err *ret)
{
    if (error->type == MSGPACK_OBJECT_NIL)
        return 0;
    if (error->type == MSGPACK_OBJECT_MAP)
        return rpc_set_error(ret, map_text(error, "code"), map_text(error, "message"));
    struct bytes text = object_text(error); /* a bare text is read too: other servers send it */
    if (error->type == MSGPACK_OBJECT_ARRAY && error->via.array.size == 2)
        text = object_text(&error->via.array.ptr[1]);
    if (!text.data)
        return err_set(ret, -EPROTO, "an error in a form that is not known");
    const char *colon = memmem(text.data, text.len, ": ", 2);
    struct bytes word = {text.data, colon ? (size_t)(colon - text.data) : 0};
    if (!colon || (proto_error_from_word(word.data, word.len) == -EPROTO &&
                   !bytes_equal(word, proto_error_word(-EPROTO))))
        return rpc_set_error(ret, (struct bytes){NULL, 0}, text);
    struct bytes sentence = {colon + 2, text.len - word.len - 2};
    return rpc_set_error(ret, word, sentence);
}
