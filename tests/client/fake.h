/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * fake - a daemon of a few lines for the tests of the client: answers as a test's handler says.
 *
 * Answers hello itself; every other request is noted in the trace and given to the handler,
 * which packs into `out`. Blocking; run it in the test's own thread or another one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/rpc.h"

struct fake;
typedef void fake_handler_fn(struct fake *, const struct rpc_message *request);
fake_handler_fn fake_close;          /* closes the connection instead of an answer */
fake_handler_fn fake_close_for_good; /* and answers no hello any more */
fake_handler_fn fake_answer_task;    /* a finished task, which is ok */

struct fake {
    fake_handler_fn *handler;
    void *arg;
    struct buf out;   /* sent after each request */
    struct buf trace; /* "method {params}\n" for each request */
    bool closing;     /* the handler wants the connection closed once `out` is sent */
    bool bytewise;    /* `out` leaves one byte at a time */
    bool (*hello)(struct fake *); /* NULL: hello is answered; false: closed instead */
    const char *instance;         /* what hello is answered; NULL: nothing of that */
    unsigned requests;
};

/* Serves a connected socket until the other side closes it or the handler does; closes it.
 * False: the other side broke the protocol. */
bool fake_serve(struct fake *, int fd_taken);
void fake_done(struct fake *);

/* An error in answer to a request, in the form of maps; the sentence goes as it is. */
void fake_error(struct fake *, uint32_t msgid, int code, const char *sentence);
/* A notification of `logs` for the request msgid. */
void fake_logs(struct fake *, uint32_t msgid, const char *stream, const char *data);
/* Packs a finished task of `function`; key NULL: without error, else {type, message, key:
 * number}. */
void fake_task(struct fake *, const char *function, const char *outcome, const char *type,
               const char *key, int number);
