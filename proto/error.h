/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * error - the errors of the protocol: a stable word for programs, a sentence for people.
 *
 * Inside, an error is a negative errno (base/err.h). Here each gets its word on the wire and
 * the exit status that aioctl gives it.
 */
#include <errno.h>
#include <stddef.h>

/* word, errno, exit status of aioctl, meaning */
#define PROTO_ERRORS(X)                                                                        \
    X("invalid", EINVAL, 2, "a parameter is missing or wrong")                                 \
    X("unknown-method", ENOSYS, 5, "there is no such method")                                  \
    X("not-found", ENOENT, 3, "there is no such task, group or function")                      \
    X("denied", EACCES, 5, "this user may not do that")                                        \
    X("exists", EEXIST, 5, "there is such a group already")                                    \
    X("not-done", EINPROGRESS, 5, "the task is not done")                                      \
    X("done", EALREADY, 5, "the task is done already")                                         \
    X("limit", EDQUOT, 5, "a limit of this user is reached")                                   \
    X("busy", EAGAIN, 5, "a limit of the daemon is reached")                                   \
    X("no-space", ENOSPC, 5, "the disk of the state directory is full")                        \
    X("too-large", EMSGSIZE, 5, "a message or a part of it is over its limit")                 \
    X("bad-message", EBADMSG, 5, "not a message of this protocol")                             \
    X("outcome-unknown", EIO, 5, "the disk failed: it may or may not have been recorded")      \
    X("stopping", ESHUTDOWN, 4, "the daemon is stopping")                                      \
    X("timeout", ETIMEDOUT, 124, "it took too long")                                           \
    X("no-memory", ENOMEM, 5, "the daemon is out of memory")                                   \
    X("unsupported", EOPNOTSUPP, 5, "this daemon cannot do that")                              \
    X("internal", EPROTO, 5, "a defect of the daemon")

/* The word for a negative errno; "internal" for one that has none. Static. */
const char *proto_error_word(int err);
/* The negative errno for a word; -EPROTO for an unknown one. */
int proto_error_from_word(const char *word, size_t len);
/* aioctl's exit status for a negative errno. */
int proto_error_exit(int err);
