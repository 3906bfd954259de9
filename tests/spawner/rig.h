/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * rig - a real aiod-spawner in a directory of its own, and aiod's client connected to it.
 *
 * Everything waits for events, with a deadline: the client's callbacks only note what came, and
 * rig_until polls until a condition holds.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/spawner/client.h"
#include "daemon/spawner/spec.h"

/* Sanitizers: more memory, and handlers of their own for SIGSEGV and SIGBUS. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RIG_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RIG_SANITIZED 1
#endif
#endif
#ifndef RIG_SANITIZED
#define RIG_SANITIZED 0
#endif

enum {
    RIG_DEADLINE_MS = 30000,
    RIG_PATH = 512,
    RIG_NOFILE = 1000 /* soft limit of descriptors that the spawner is started with */
};

struct rig {
    char dir[RIG_PATH];
    char socket[RIG_PATH];
    uid_t uid;          /* the spawner runs as; only root may choose */
    const char *notify; /* borrowed: NOTIFY_SOCKET for it, or NULL */
    bool close_std;     /* start it without 0 to 2 */
    pid_t pid;          /* of the spawner; 0: none */
    int pidfd;          /* owned */
    struct spawner_client client;
    uint8_t instance[RECORD_UUID_BYTES];
    struct record *log; /* owned: STARTED, FAILED, EXITED of this connection, as they came */
    size_t nlog;
    size_t log_cap;
    bool welcome;
    bool listed;
    bool lost;
    struct record hello; /* WELCOME */
    struct err why;      /* of the loss */
    unsigned next;       /* number of the next command */
};

/* A command; what is left out is as for `sh -c exit`. */
struct command {
    const char *const *argv;
    const char *const *env; /* NULL-terminated; NULL: PATH alone */
    const char *cwd;        /* NULL: "/" */
    const char *input;
    const uint32_t *groups;
    uint32_t ngroups;
    uint32_t umask; /* 0: 022 */
    uint32_t uid;   /* with become */
    uint32_t gid;
    bool become; /* uid and gid are given; else our own */
    bool split;  /* standard error into a file of its own */
};

#define ARGV(...)   ((const char *const[]){__VA_ARGS__, NULL})
#define SHELL(line) ARGV("sh", "-c", line)

int rig_setup(void **state);      /* a directory, a spawner, a connection */
int rig_setup_bare(void **state); /* a directory */
int rig_teardown(void **state);   /* the spawner must end with status 0 */

/* Starts a spawner with these options behind --socket and waits until it listens. */
void rig_start(struct rig *rig, const char *const *options);
int rig_wait(struct rig *rig);  /* until it ends; its wait status */
int rig_stop(struct rig *rig);  /* SIGTERM, then rig_wait */
void rig_kill(struct rig *rig); /* SIGKILL, then rig_wait */
/* Runs it to its end instead: the exit status, its stderr in text. */
int rig_run(struct rig *rig, const char *const *options, char *text, size_t size);

void rig_connect(struct rig *rig); /* and waits until the list has come or it is refused */
void rig_drop(struct rig *rig);    /* as if aiod had died */
/* Asks for the list again: what was sent before has been done, and the log is what is known
 * now. */
void rig_list(struct rig *rig);

typedef bool rig_condition(struct rig *rig, const void *arg);
bool rig_until(struct rig *rig, rig_condition *condition, const void *arg);

void rig_token(uint8_t token[RECORD_TOKEN_BYTES], unsigned n);
int rig_spec(const struct command *c);
/* A request for command number n with its memfd and its output files out.N (and err.N). */
void rig_request(struct rig *rig, struct spawn_request *req, unsigned n,
                 const struct command *c);
unsigned rig_spawn(struct rig *rig, const struct command *c); /* the number of the command */
/* The first record of this type about command n, or NULL. */
const struct record *rig_find(const struct rig *rig, unsigned n, uint32_t type);
size_t rig_count(const struct rig *rig, unsigned n, uint32_t type);
const struct record *rig_started(struct rig *rig, unsigned n); /* waits */
const struct record *rig_end(struct rig *rig, unsigned n);     /* waits for EXITED or FAILED */
void rig_signal(struct rig *rig, unsigned n, int signo);
void rig_release(struct rig *rig, unsigned n);

const char *rig_file(const struct rig *rig,
                     const char *name); /* its path; valid until 8 calls later */
const char *rig_out(const struct rig *rig, unsigned n); /* what command n wrote */
const char *rig_read(const char *path); /* a whole file; valid until the next call */
void rig_write(const char *path, const char *text, mode_t mode);
size_t rig_spawner_fds(const struct rig *rig); /* descriptors that the spawner has open */

void assert_exit(const struct record *rec, int status);
void assert_killed(const struct record *rec, int signo);
void assert_failed(const struct record *rec, enum spawn_step step, int err);
