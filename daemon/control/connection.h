/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * connection - one client: bytes in, whole messages to calls, their answers out.
 */
#include <uv.h>

#include "base/buf.h"
#include "daemon/aio/reader.h"
#include "daemon/control/call.h"
#include "daemon/control/control.h"
#include "daemon/control/peer.h"
#include "daemon/control/rounds.h"
#include "proto/scan.h"

struct connection {
    struct list node;        /* in control->connections */
    struct control *control; /* borrowed */
    struct peer *peer;       /* counted */
    uv_pipe_t pipe;
    struct scan scan;
    struct buf in;      /* what has come */
    size_t begin;       /* in `in`: of the message that is scanned */
    size_t scanned;     /* bytes of `in` that the scanner has seen */
    struct buf out;     /* answers since the last write */
    struct buf writing; /* belongs to libuv while `write` is under way */
    size_t counted;     /* of the two, in control->backlog */
    uv_write_t write;
    struct rounds_account account; /* waits while requests are in `in` that may be started */
    struct list calls;             /* of call.node: requests in flight */
    uint32_t calls_count;
    size_t calls_bytes;
    struct aio_handle flush;    /* writes `out` once a turn */
    struct aio_reader *hangup;  /* owned; once it has sent its last request, else NULL */
    int hangup_fd;              /* owned: a duplicate for it; -1 */
    struct aio_future *drained; /* counted; set when all is written. NULL: nobody asks */
    bool errors_map;            /* hello asked for {code, message, details} */
    bool reading;
    bool in_write;
    bool ending; /* closes once everything is written; reads no more */
    bool closing;
};

/* Takes a connection that waits on the listening stream; one over a limit is told so and
 * closed. 0 or a negative errno with a sentence. */
int connection_accept(struct control *, uv_stream_t *listener, struct err *);
/* Drops it: calls are cancelled, nothing more is sent; freed in a later turn. */
void connection_close(struct connection *);
/* Reads no more; closes once the requests in flight are answered and everything is written. */
void connection_end(struct connection *);
/* The envelope is broken or over a limit: tells so, and ends. */
void connection_fail(struct connection *, const struct err *);

/* For call.c. */
void connection_call_started(struct connection *, struct call *);
void connection_call_ended(struct connection *, struct call *);
void connection_flush_soon(struct connection *);

/* Bytes that the client has not taken yet. */
size_t connection_backlog(const struct connection *);
/* The future that finishes when the client has taken everything; borrowed, shared: after an
 * await look at the backlog again. NULL without memory. */
struct aio_future *connection_drained(struct connection *);

/* Is it of that user? One whose accept failed has no peer and waits for its close callback. */
bool connection_is_of(const struct connection *, uint32_t uid);
/* For connection.c: the parts of connection_out.c in a connection's life. */
void connection_out_init(struct connection *);
void connection_out_close(struct connection *); /* nothing more is sent */
void connection_out_done(struct connection *);
/* For control.c: rounds.serve. */
enum rounds_served connection_serve(struct rounds_account *);
/* For listener.c and connection.c: calls control->closed once all is gone. */
void control_maybe_closed(struct control *);
