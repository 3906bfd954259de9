/* SPDX-License-Identifier: MIT */
/*
 * spec - a command goes as it was given: argv verbatim, in the caller's directory, with the
 * caller's environment and umask.
 */
#include "client/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/parse.h"
#include "client/call.h"
#include "client/environ.h"
#include "proto/pack.h"

#define SPEC(member) offsetof(struct spec_options, member)
const struct option_def spec_defs[SPEC_NDEFS] = {
    {"name", 0, OPTION_TEXT, "NAME", "call the task so; begins with a letter", SPEC(name)},
    {"group", 'g', OPTION_TEXT, "GROUP", "take a slot of this group", SPEC(group)},
    {"command", 'c', OPTION_TEXT, "LINE", "run LINE with sh -c", SPEC(line)},
    {"call", 0, OPTION_TEXT, "FUNCTION",
     "call this coroutine function with the words as arguments", SPEC(call)},
    {"in", 0, OPTION_DURATION, "DURATION", "not before so long from now: 90, 10s, 1h30m",
     SPEC(in)},
    {"at", 0, OPTION_TEXT, "TIME",
     "not before: 02:00, \"tomorrow 08:00\", \"2025-12-24 18:00\"", SPEC(at)},
    {"env", 0, OPTION_TEXTS, "NAME=VALUE", "set in its environment; may be repeated",
     SPEC(env)},
    {"clean-env", 0, OPTION_FLAG, NULL,
     "of your environment only HOME, LANG, LOGNAME, PATH, SHELL, USER", SPEC(clean_env)},
    {"stdin", 0, OPTION_TEXT, "FILE", "read from FILE; otherwise from /dev/null",
     SPEC(stdin_file)},
    {"split", 0, OPTION_FLAG, NULL, "keep stdout and stderr apart", SPEC(split)},
    {"cwd", 0, OPTION_TEXT, "DIR", "run in DIR; otherwise where you are", SPEC(cwd)},
    {"output", 'o', OPTION_FORMAT, "id|json|jsonl", "how submit prints the id", SPEC(format)},
};
#undef SPEC

/* The absolute form of a path of the caller's; NULL with a sentence. Owned by the caller. */
static char *spec_absolute(const char *path, struct err *err)
{
    if (path && path[0] == '/') {
        char *copy = strdup(path);
        if (!copy)
            err_set(err, -ENOMEM, "out of memory");
        return copy;
    }
    char *here = getcwd(NULL, 0);
    if (!here) {
        err_set(
            err, -EINVAL,
            "the directory you are in is gone or unreadable (%s): cd elsewhere, or give --cwd",
            strerror(errno));
        return NULL;
    }
    if (!path || strcmp(path, ".") == 0)
        return here;
    char *joined = NULL;
    if (asprintf(&joined, "%s/%s", strcmp(here, "/") == 0 ? "" : here, path) < 0) {
        joined = NULL;
        err_set(err, -ENOMEM, "out of memory");
    }
    free(here);
    return joined;
}

/* Whether a word names a program, by a path or along PATH. */
static bool spec_is_program(const char *word)
{
    if (strchr(word, '/'))
        return access(word, X_OK) == 0;
    const char *path = getenv("PATH");
    for (const char *at = path ? path : "/usr/local/bin:/usr/bin:/bin"; at;) {
        size_t n = strcspn(at, ":");
        char *file = NULL;
        if (asprintf(&file, "%.*s/%s", (int)n, at, word) < 0)
            return false;
        bool found = access(file, X_OK) == 0;
        free(file);
        if (found)
            return true;
        at = at[n] ? at + n + 1 : NULL;
    }
    return false;
}

static int spec_check_words(const struct spec_options *o, char *const *words, size_t n,
                            struct err *err)
{
    if (o->line && o->call)
        return err_set(err, -EINVAL, "-c and --call exclude each other");
    if (o->line && n > 0)
        return err_set(err, -EINVAL,
                       "-c LINE is the whole command: \"%s\" is one word too many", words[0]);
    if (!o->line && !o->call && n == 0)
        return err_set(err, -EINVAL, "which command?");
    if (o->call && (o->cwd || o->stdin_file || o->env.n > 0 || o->clean_env || o->split))
        return err_set(
            err, -EINVAL,
            "--cwd, --env, --clean-env, --stdin and --split are for commands, not for --call");
    if (!o->line && !o->call && n == 1 && strpbrk(words[0], " \t") &&
        !spec_is_program(words[0]))
        return err_set(err, -EINVAL,
                       "there is no program \"%s\": for a shell line put -c in front of it",
                       words[0]);
    return 0;
}

int spec_check(const struct spec_options *o, char *const *words, size_t n, struct err *err)
{
    uint64_t ns;
    if (o->in.given && o->at)
        return err_set(err, -EINVAL, "--in and --at exclude each other");
    if (o->at && parse_time(o->at, time(NULL), &ns) < 0)
        return err_set(err, -EINVAL,
                       "--at: \"%s\" is no time, such as 02:00 or 2025-12-24 18:00", o->at);
    if (o->stdin_file && strcmp(o->stdin_file, "-") == 0)
        return err_set(err, -EINVAL,
                       "--stdin takes a file: what you type cannot outlive this terminal");
    return spec_check_words(o, words, n, err);
}

bool spec_needs_functions(const struct spec_options *o, char *const *words, size_t n)
{
    return o->call && call_needs_functions(words, n);
}

static void spec_pack_argv(struct buf *b, struct pack_map_place *map,
                           const struct spec_options *o, char *const *words, size_t n)
{
    pack_key(b, map, "argv");
    if (!o->line) {
        pack_array(b, n);
        for (size_t i = 0; i < n; i++)
            pack_text(b, words[i]);
        return;
    }
    pack_array(b, 3);
    pack_text(b, "sh");
    pack_text(b, "-c");
    pack_text(b, o->line);
    pack_key(b, map, "line");
    pack_bool(b, true);
}

static mode_t spec_umask(void)
{
    mode_t mask = umask(0);
    (void)umask(mask);
    return mask;
}

/* The arguments of exec. */
static int spec_pack_exec(struct buf *b, const struct spec_options *o, char *const *words,
                          size_t n, bool split, struct err *err)
{
    _cleanup_(defs_freep) char *cwd = spec_absolute(o->cwd, err);
    if (!cwd)
        return err->code;
    struct pack_map_place map = pack_map_begin(b);
    spec_pack_argv(b, &map, o, words, n);
    pack_key(b, &map, "cwd");
    pack_text(b, cwd);
    pack_key(b, &map, "env");
    int r = environ_pack(b, environ, o->clean_env, &o->env, o->cwd ? cwd : NULL, err);
    if (r < 0)
        return r;
    pack_key(b, &map, "umask");
    pack_uint(b, spec_umask());
    if (o->stdin_file) {
        _cleanup_(defs_freep) char *file = spec_absolute(o->stdin_file, err);
        if (!file)
            return err->code;
        pack_key(b, &map, "stdin");
        pack_text(b, file);
    }
    if (split || o->split) {
        pack_key(b, &map, "split");
        pack_bool(b, true);
    }
    pack_map_end(b, &map);
    return 0;
}

static int spec_pack_when(struct buf *b, struct pack_map_place *map,
                          const struct spec_options *o)
{
    if (o->in.given) {
        pack_key(b, map, "in");
        pack_double(b, (double)o->in.value / (double)NSEC_PER_SEC);
    }
    if (o->at) {
        uint64_t ns;
        int r = parse_time(o->at, time(NULL), &ns);
        if (r < 0)
            return r;
        pack_key(b, map, "at");
        pack_time(b, ns);
    }
    return 0;
}

int spec_pack(struct buf *b, const struct spec_options *o, char *const *words, size_t n,
              bool split, const msgpack_object *functions, struct err *err)
{
    struct pack_map_place map = pack_map_begin(b);
    pack_key(b, &map, "function");
    pack_text(b, o->call ? o->call : "exec");
    if (o->name) {
        pack_key(b, &map, "name");
        pack_text(b, o->name);
    }
    if (o->group) {
        pack_key(b, &map, "group");
        pack_text(b, o->group);
    }
    int r = spec_pack_when(b, &map, o);
    if (r < 0)
        return err_set(err, r, "--at: \"%s\" is no time", o->at);
    pack_key(b, &map, "args");
    if (o->call)
        r = call_pack(b, o->call, words, n, functions, err);
    else
        r = spec_pack_exec(b, o, words, n, split, err);
    if (r < 0)
        return r;
    pack_map_end(b, &map);
    return buf_ok(b) ? 0 : err_set(err, -ENOMEM, "out of memory");
}
