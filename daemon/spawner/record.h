/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * record - what aiod and aiod-spawner say to each other: fixed-size records, one a
 * SOCK_SEQPACKET message, in the machine's own byte order (both ends are the same build).
 *
 *     aiod                                spawner
 *     HELLO {instance}             ->     drops the connection before, with its unread records
 *                                  <-     WELCOME {spawner id, pid, uid}  or  REFUSED {errno}
 *     LIST                         ->
 *                                  <-     for each token what is known of it, then LIST_END
 *     SPAWN {token, uid, gid} +fds ->
 *                                  <-     STARTED {token, pid, ticks}
 *                                         or FAILED {token, step, errno}
 *                                  <-     FAILED {token, step, errno}: after all it could not
 *                                         be started
 *     SIGNAL {token, signo, grace} ->     (to the process group; a token that is gone is ignored)
 *                                  <-     EXITED {token, status, rusage}
 *     RELEASE {token}              ->     reaps it and forgets the token
 *
 * What is said of a token, in this order: STARTED, then EXITED or FAILED; or FAILED alone where
 * there never was a process. STARTED is sent as soon as there is one: that it could not become
 * the user, change its directory or execute the command shows later, and FAILED then takes the
 * place of EXITED. LIST, and a SPAWN whose token is known (it runs nothing), are answered with
 * the same records again: STARTED, and EXITED or FAILED behind it if it has ended.
 *
 * Nothing is forgotten without RELEASE, FAILED neither. LIST may show a token whose outcome is
 * long settled: RELEASE it again. A RELEASE of one that runs takes effect when it ends,
 * unreported; a released one is reaped when nobody is left in its group, or that has been killed,
 * if SIGNAL gave it a grace. FAILED {SPAWN_STEP_FORK, ESHUTDOWN} says that the spawner is being
 * stopped and ran nothing: the attempt may be sent again to the next one. Statuses that a stopped
 * spawner left behind are in the next one's LIST, under their tokens, for the instance they
 * belong to.
 *
 * A record of another size, of a type that is not aiod's to send, before HELLO or with another
 * number of descriptors than it must have, closes the connection.
 *
 * SPAWN carries 2 or 3 descriptors (SCM_RIGHTS): the sealed memfd with the spec (spec.h), the
 * file for standard output and, unless SPAWN_MERGE is set, the one for standard error. A
 * regular file that belongs to aiod's user becomes the command's user's if that is another one;
 * its group stays, so that aiod can open it again if it was made readable for the group.
 */
#include <stdint.h>

enum {
    RECORD_VERSION = 1,
    RECORD_TOKEN_BYTES = 16,
    RECORD_UUID_BYTES = 16,
    RECORD_MAX_FDS = 3
};

enum record_type {
    RECORD_HELLO = 1,
    RECORD_WELCOME,
    RECORD_REFUSED,
    RECORD_LIST,
    RECORD_LIST_END,
    RECORD_SPAWN,
    RECORD_STARTED,
    RECORD_FAILED,
    RECORD_EXITED,
    RECORD_SIGNAL,
    RECORD_RELEASE,
};

/* Where the start of a command failed. */
enum spawn_step {
    SPAWN_STEP_NONE,
    SPAWN_STEP_SPEC,   /* the record or the memfd is not as it must be */
    SPAWN_STEP_DENIED, /* this user may not be served */
    SPAWN_STEP_FORK,
    SPAWN_STEP_SESSION, /* setsid */
    SPAWN_STEP_STDIN,   /* opening the file for standard input */
    SPAWN_STEP_FDS,     /* dup2, close_range */
    SPAWN_STEP_LIMITS,  /* setrlimit */
    SPAWN_STEP_USER,    /* setgroups, setresgid, setresuid */
    SPAWN_STEP_CHDIR,
    SPAWN_STEP_EXEC,
};

enum { SPAWN_MERGE = 1 }; /* flags: both streams into the first file */

struct record_usage {
    uint64_t user_us; /* CPU microseconds */
    uint64_t system_us;
    uint64_t maxrss_kib;
};

struct record {
    uint32_t type;                     /* enum record_type */
    uint32_t version;                  /* RECORD_VERSION, in HELLO and WELCOME; else 0 */
    uint8_t token[RECORD_TOKEN_BYTES]; /* of the attempt; zero where there is none */
    union {
        struct {
            uint8_t instance[RECORD_UUID_BYTES]; /* of the state directory that aiod serves */
        } hello;
        struct {
            uint8_t spawner_id[RECORD_UUID_BYTES]; /* random, chosen when the spawner started */
            uint32_t pid;                          /* of the spawner */
            uint32_t uid;                          /* 0: may become any user */
        } welcome;
        struct {
            int32_t err; /* positive errno: EPROTO (version), EBUSY (has children of another
                            instance; its uuid is in `instance`), EPERM (peer) */
            uint8_t instance[RECORD_UUID_BYTES];
        } refused;
        struct {
            uint64_t task; /* id, for the child's AIOD_TASK_ID and for logs */
            uint32_t attempt;
            uint32_t uid;
            uint32_t gid;
            uint32_t flags; /* SPAWN_MERGE */
        } spawn;
        struct {
            uint32_t pid; /* also the process group and the session */
            uint32_t pad;
            uint64_t start_ticks; /* field 22 of /proc/PID/stat: since boot, in clock ticks */
            uint64_t wall_ns;     /* when, CLOCK_REALTIME */
        } started;
        struct {
            int32_t step; /* enum spawn_step */
            int32_t err;  /* positive errno */
        } failed;
        struct {
            int32_t status; /* as wait(2) gives it: WIFEXITED, WTERMSIG, … */
            uint32_t pad;
            uint64_t wall_ns;
            struct record_usage usage;
        } exited;
        struct {
            int32_t signo;
            uint32_t grace_ms; /* in so many ms SIGKILL to what is left of the group, also when
                                  the command has ended by then; 0: not */
        } signal;
    };
};
_Static_assert(sizeof(struct record) <= 128, "a record stays small and fixed");
