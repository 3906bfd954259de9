/* SPDX-License-Identifier: MIT */
#include "daemon/functions/exec_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/spawner/spec.h"
#include "proto/pack.h"

enum { EXEC_UMASK_DEFAULT = 022, EXEC_UMASK_MAX = 0777, EXEC_PATH_MAX = 4096 };

static const struct field exec_fields[] = {
    {"argv", FIELD_TEXTS, true, offsetof(struct exec_args, argv), LIMIT_MESSAGE_ITEMS},
    {"cwd", FIELD_TEXT, false, offsetof(struct exec_args, cwd), EXEC_PATH_MAX},
    {"env", FIELD_TEXTS, false, offsetof(struct exec_args, env), LIMIT_MESSAGE_ITEMS},
    {"umask", FIELD_UINT, false, offsetof(struct exec_args, umask), EXEC_UMASK_MAX},
    {"stdin", FIELD_TEXT, false, offsetof(struct exec_args, input), EXEC_PATH_MAX},
    {"split", FIELD_BOOL, false, offsetof(struct exec_args, split), 0},
    {"line", FIELD_BOOL, false, offsetof(struct exec_args, line), 0},
};

/* ---- checking ---- */

static int exec_check_argv(const struct exec_args *a, struct err *err)
{
    const msgpack_object_array *argv = &a->argv->via.array;
    if (argv->size == 0 || object_text(&argv->ptr[0]).len == 0)
        return err_set(err, -EINVAL, "\"argv\" must name a command");
    for (uint32_t i = 0; i < argv->size; i++)
        if (object_text(&argv->ptr[i]).len > LIMIT_ARG_BYTES)
            return err_set(err, -EMSGSIZE, "\"argv\"[%u] is over the limit of %u bytes", i,
                           LIMIT_ARG_BYTES);
    if (a->line && argv->size != 3)
        return err_set(err, -EINVAL, "\"line\" goes with an argv of sh, -c, LINE");
    return 0;
}

static int exec_check_env(const struct exec_args *a, struct err *err)
{
    size_t total = 0;
    for (uint32_t i = 0; a->env && i < a->env->via.array.size; i++) {
        struct bytes text = object_text(&a->env->via.array.ptr[i]);
        const char *equals = memchr(text.data, '=', text.len);
        if (!equals || equals == text.data)
            return err_set(err, -EINVAL, "\"env\"[%u] is not of the form NAME=VALUE", i);
        if (text.len > LIMIT_ARG_BYTES)
            return err_set(err, -EMSGSIZE, "\"env\"[%u] is over the limit of %u bytes", i,
                           LIMIT_ARG_BYTES);
        total += text.len + 1;
    }
    if (total > LIMIT_ENV_BYTES)
        return err_set(err, -EMSGSIZE, "\"env\" is over the limit of %u bytes",
                       LIMIT_ENV_BYTES);
    return 0;
}

static int exec_check_paths(const struct exec_args *a, struct err *err)
{
    if (a->cwd.data && (a->cwd.len == 0 || a->cwd.data[0] != '/'))
        return err_set(err, -EINVAL, "\"cwd\" must be an absolute path");
    if (a->input.data && (a->input.len == 0 || a->input.data[0] != '/'))
        return err_set(err, -EINVAL, "\"stdin\" must be an absolute path");
    return 0;
}

/* ---- storing ---- */

static void exec_pack_texts(struct buf *b, const msgpack_object *array)
{
    enum { HEAD_MAX = 5 };
    size_t total = HEAD_MAX;
    for (uint32_t i = 0; i < array->via.array.size; i++)
        total += object_text(&array->via.array.ptr[i]).len + HEAD_MAX;
    buf_reserve(b, total);
    pack_array(b, array->via.array.size);
    for (uint32_t i = 0; i < array->via.array.size; i++) {
        struct bytes text = object_text(&array->via.array.ptr[i]);
        pack_text_n(b, text.data, text.len);
    }
}

static struct value *exec_pack(const struct exec_args *a)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT;
    struct pack_map_place map = pack_map_begin(&b);
    pack_key(&b, &map, "argv");
    exec_pack_texts(&b, a->argv);
    pack_key(&b, &map, "cwd");
    pack_text_n(&b, a->cwd.data, a->cwd.len);
    pack_key(&b, &map, "umask");
    pack_uint(&b, a->umask);
    if (a->input.data) {
        pack_key(&b, &map, "stdin");
        pack_text_n(&b, a->input.data, a->input.len);
    }
    if (a->split) {
        pack_key(&b, &map, "split");
        pack_bool(&b, true);
    }
    if (a->line) {
        pack_key(&b, &map, "line");
        pack_bool(&b, true);
    }
    pack_map_end(&b, &map);
    return pack_take(&b);
}

static struct value *exec_pack_env(const struct exec_args *a)
{
    static const char *const minimal[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"};
    _cleanup_(buf_done) struct buf b = BUF_INIT;
    if (a->env) {
        exec_pack_texts(&b, a->env);
        return pack_take(&b);
    }
    pack_array(&b, ARRAY_SIZE(minimal));
    for (size_t i = 0; i < ARRAY_SIZE(minimal); i++)
        pack_text(&b, minimal[i]);
    return pack_take(&b);
}

/* The line that status shows: the words with blanks between, cut at a character's border. */
static void exec_title(const struct exec_args *a, char title[LIMIT_TITLE_BYTES + 1])
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    size_t used = 0;
    bool cut = false;
    const msgpack_object_array *argv = &a->argv->via.array;
    for (uint32_t i = a->line ? 2 : 0; i < argv->size && !cut; i++) {
        struct bytes text = object_text(&argv->ptr[i]);
        size_t blank = used ? 1 : 0;
        size_t room = LIMIT_TITLE_BYTES - used;
        cut = text.len + blank > room;
        if (blank && room)
            title[used++] = ' ';
        size_t n = cut ? LIMIT_TITLE_BYTES - used : text.len;
        memcpy(title + used, text.data, n);
        used += n;
    }
    if (cut) {
        used = LIMIT_TITLE_BYTES - (sizeof(ellipsis) - 1);
        while (used > 0 && ((unsigned char)title[used] & 0xc0) == 0x80)
            used--;
        memcpy(title + used, ellipsis, sizeof(ellipsis) - 1);
        used += sizeof(ellipsis) - 1;
    }
    title[used] = '\0';
}

int exec_args_check(const msgpack_object *args, struct function_call *ret, struct err *err)
{
    struct exec_args a = {.cwd = {"/", 1}, .umask = EXEC_UMASK_DEFAULT};
    int r = fields_read(exec_fields, ARRAY_SIZE(exec_fields), args, &a, err);
    if (r == 0)
        r = exec_check_argv(&a, err);
    if (r == 0)
        r = exec_check_env(&a, err);
    if (r == 0)
        r = exec_check_paths(&a, err);
    if (r < 0)
        return r;
    ret->args = exec_pack(&a);
    ret->env = exec_pack_env(&a);
    if (!ret->args || !ret->env) {
        function_call_done(ret);
        return err_set(err, -ENOMEM, "out of memory");
    }
    if (ret->args->len > LIMIT_ARGS_BYTES) {
        function_call_done(ret);
        return err_set(err, -EMSGSIZE, "\"argv\" is over the limit of %u bytes",
                       LIMIT_ARGS_BYTES);
    }
    exec_title(&a, ret->title);
    return 0;
}

/* ---- reading ---- */

int exec_args_read(const struct unpacked *args, struct exec_args *ret)
{
    *ret = (struct exec_args){0};
    return fields_read(exec_fields, ARRAY_SIZE(exec_fields), &args->root, ret, NULL) < 0
               ? -EBADMSG
               : 0;
}

struct bytes exec_args_command(const struct exec_args *a)
{
    return object_text(&a->argv->via.array.ptr[0]);
}

/* An array of texts as an array of C strings in one allocation of pointers and one of bytes. */
struct exec_strings {
    char **list; /* owned */
    char *bytes; /* owned */
    uint32_t len;
};

static void exec_strings_done(struct exec_strings *s)
{
    free(s->list);
    free(s->bytes);
}

static int exec_strings_init(struct exec_strings *s, const msgpack_object *array)
{
    const msgpack_object_array *a = &array->via.array;
    size_t total = 1;
    for (uint32_t i = 0; i < a->size; i++)
        total += object_text(&a->ptr[i]).len + 1;
    s->list = calloc(a->size + 1, sizeof(*s->list));
    s->bytes = malloc(total);
    if (!s->list || !s->bytes)
        return -ENOMEM;
    char *at = s->bytes;
    for (uint32_t i = 0; i < a->size; i++) {
        struct bytes text = object_text(&a->ptr[i]);
        memcpy(at, text.data, text.len);
        at[text.len] = '\0';
        s->list[i] = at;
        at += text.len + 1;
    }
    s->len = a->size;
    return 0;
}

static int exec_spec_to_memfd(const struct exec_args *a, const msgpack_object *env,
                              const struct value *creds)
{
    static const msgpack_object no_env = {.type = MSGPACK_OBJECT_ARRAY};
    _cleanup_(exec_strings_done) struct exec_strings argv = {0}, vars = {0};
    _cleanup_(defs_freep) char *cwd = bytes_dup(a->cwd);
    _cleanup_(defs_freep) char *input = a->input.data ? bytes_dup(a->input) : NULL;
    if (!cwd || (a->input.data && !input) || exec_strings_init(&argv, a->argv) < 0 ||
        exec_strings_init(&vars, env ? env : &no_env) < 0)
        return -ENOMEM;
    const struct spec spec = {
        .argv = (const char *const *)argv.list,
        .argc = argv.len,
        .env = (const char *const *)vars.list,
        .envc = vars.len,
        .cwd = cwd,
        .input = input,
        .groups = creds ? (const uint32_t *)(const void *)creds->bytes : NULL,
        .ngroups = creds ? creds->len / (uint32_t)sizeof(uint32_t) : 0,
        .umask = (uint32_t)a->umask,
    };
    return spec_to_memfd(&spec);
}

int exec_args_to_memfd(const struct exec_args *a, const struct value *env,
                       const struct value *creds)
{
    if (!env)
        return exec_spec_to_memfd(a, NULL, creds);
    struct unpacked vars = UNPACKED_INIT;
    int r = unpack(&vars, env->bytes, env->len);
    if (r == 0)
        r = exec_spec_to_memfd(a, &vars.root, creds);
    unpacked_done(&vars);
    return r;
}
