/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * call - one request on its way: a task of the loop whose result is the response.
 *
 * A method is a coroutine function. What it returns is sent as the result, what it raises as
 * the error. When the client leaves, the call is cancelled.
 */
#include "daemon/aio/task.h"
#include "daemon/control/peer.h"
#include "daemon/tasks/tasks.h"
#include "proto/pack.h"
#include "proto/unpack.h"

struct connection;
struct control;

struct call {
    struct list node;              /* in connection->calls */
    struct control *control;       /* borrowed */
    struct connection *connection; /* borrowed; NULL once the client has left */
    struct peer *peer;             /* counted */
    struct aio_task *task;         /* counted */
    struct aio_done ended;
    struct unpacked message;      /* owned; points into bytes */
    const msgpack_object *params; /* a map; never NULL */
    uint32_t msgid;
    struct err err;      /* the sentence of what it raises */
    size_t size;         /* of the message */
    uint64_t charged_ns; /* to the connection's account */
    unsigned kind;       /* of request, for it: below ROUNDS_KINDS */
    uint8_t bytes[];
};

/* The head of every method's frame. */
struct method_frame {
    struct aio_co co;
    struct call *call; /* borrowed: outlives the frame */
};

struct method {
    const char *name;
    const struct aio_co_fn *fn; /* its frame begins with a struct method_frame */
};
/* Its number: below ROUNDS_KINDS. */
unsigned methods_kind(const struct method *);
/* NULL: there is no such method. */
const struct method *methods_find(struct bytes name);

/* Answers a request of the connection: starts its task, which is in connection->calls until its
 * end. The bytes are copied. 0 or -ENOMEM. */
int call_start(struct connection *, const uint8_t *bytes, size_t size);
/* The client has left: the task is cancelled, nothing is answered. */
void call_abandon(struct call *);

/* raise with call->err. */
struct aio_next call_raise(struct call *, struct aio_co *) AIO_NODISCARD;
/* raise with a sentence of its own. */
struct aio_next call_fail(struct call *, struct aio_co *, int code, const char *fmt,
                          ...) AIO_NODISCARD __attribute__((format(printf, 4, 5)));
/* return what was packed; the buf is emptied. */
struct aio_next call_return(struct aio_co *, struct buf *) AIO_NODISCARD;
/* Fills the method's parameters; 0, or -EINVAL with call->err set. */
int call_params(struct call *, const struct field *fields, size_t n, void *ret);

bool call_may_see(const struct call *, uint32_t uid);
/* The live task, if the caller may see it; else NULL. */
struct task *call_task(const struct call *, uint64_t id);
