/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * limits - every limit that is fixed when aiod is built, with its unit and its reason.
 *
 * What an administrator may want to change is in the configuration instead; its defaults
 * are here too.
 */

/* ---- messages on the control socket (proto/) ---- */
/* One message: a command line may hold ARG_MAX (2 MiB) on Linux, but an argument of more than
 * 128 KiB cannot be executed anyway; 1 MiB holds every real argv with its environment. */
#define LIMIT_MESSAGE_BYTES (1024u * 1024u)
#define LIMIT_MESSAGE_DEPTH 16u /* containers inside each other; a request needs 5 */
#define LIMIT_MESSAGE_ITEMS                                                                    \
    65536u /* objects in one message: msgpack-c spends 24 bytes on each */

/* ---- connections (daemon/control/) ---- */
#define LIMIT_CONNECTIONS 4096u /* at once, all users; each costs a descriptor and a buffer */
#define LIMIT_CONNECTIONS_RESERVED                                                             \
    64u /* beyond, for root and the owner: nobody locks them out */
#define LIMIT_CONNECTIONS_PER_UID 2048u /* for others than the instance's owner */
#define LIMIT_REQUESTS_IN_FLIGHT                                                               \
    1024u /* of one connection; then it is not read until answers left */
#define LIMIT_REQUESTS_WHEN_BUSY                                                               \
    8u /* the same while the disk is behind; then others' requests go first */
#define LIMIT_REQUEST_BYTES_IN_FLIGHT (4u * 1024u * 1024u)
#define LIMIT_REPLY_BACKLOG_BYTES                                                              \
    (8u * 1024u * 1024u) /* unsent replies of one connection, then it is closed */
#define LIMIT_REPLY_BACKLOG_SUM                                                                \
    (256u * 1024u * 1024u) /* of all connections; beyond, those of one uid may have … */
#define LIMIT_REPLY_BACKLOG_PER_UID (64u * 1024u * 1024u) /* … or the largest is closed */
/* Tasks in one answer, so that it is a message that clients may take. */
#define LIMIT_TASK_ITEMS            70u /* objects of a task as status shows it, at most */
#define LIMIT_REPLY_TASKS           800u
#define LIMIT_REPLY_TASKS_BYTES     (900u * 1024u)
#define LIMIT_ANSWER_ROWS           7000u /* of tasks in one answer, where a row has up to 9 objects */
/* Of a user; each of them is told each event. Not for root and the instance's owner. */
#define LIMIT_SUBSCRIPTIONS_PER_UID 64u
#define LIMIT_RETRIED               4000u /* tasks in one retry: each gets a row of up to 13 */
#define LIMIT_EVENT_BACKLOG_BYTES                                                              \
    (1024u * 1024u) /* events that a client has not read, then some are left out */
#define LIMIT_SELECTED        50000u        /* tasks that one request may name */
#define LIMIT_LOG_CHUNK_BYTES (64u * 1024u) /* of output in one notification */

/* ---- tasks ---- */
#define LIMIT_NAME_BYTES 64u /* of a task's or group's name */
#define LIMIT_TASK_GROUPS                                                                      \
    1000u /* that commands may make, with the configuration's: one answer has them all */
#define LIMIT_GROUP_SLOTS 1000000u /* of a group; a machine has not so many processes */
#define LIMIT_TITLE_BYTES 80u /* of the line that status shows for a task, kept in memory */
#define LIMIT_ARGS_BYTES                                                                       \
    (768u * 1024u) /* packed arguments of a task; leaves room in a message */
#define LIMIT_ENV_BYTES (256u * 1024u)      /* one environment */
#define LIMIT_ARG_BYTES (128u * 1024u - 1u) /* one argument: MAX_ARG_STRLEN of execve(2) */
#define LIMIT_GROUPS    65536u              /* supplementary groups: NGROUPS_MAX */
#define LIMIT_QUEUED_PER_UID                                                                   \
    100000u            /* default of [limits] queued; not for the instance's owner */
#define LIMIT_AHEAD 8u /* attempts that a group records before their slot is free */

/* ---- reading ---- */
#define LIMIT_PAGE_ROWS                                                                        \
    1000u /* rows of the store in one step, so that reads never hold up commits */

/* ---- the store ---- */
#define LIMIT_STORE_BATCH_OPS 512u /* operations in one transaction */
#define LIMIT_STORE_BUSY_OPS  512u /* waiting for the next one: the disk is behind */
#define LIMIT_STORE_LAZY_MS                                                                    \
    10u /* how long an outcome that nobody waits for may wait for company */
#define LIMIT_WAL_BYTES                                                                        \
    (16u * 1024u * 1024u) /* checkpointed at once from here on, else when idle */

/* ---- the spawner ---- */
#define LIMIT_SPAWNS_IN_FLIGHT                                                                 \
    64u /* SPAWN records sent and not answered: three descriptors each */
/* The memfd with argv, environment and working directory. */
#define LIMIT_SPAWN_SPEC_BYTES (4u * 1024u * 1024u)

/* ---- waiting ---- */
#define LIMIT_TERM_GRACE_MS 10000u /* between SIGTERM and SIGKILL of a cancelled command */
#define LIMIT_STOP_GRACE_MS 5000u  /* for connections to take their answers when aiod stops */
