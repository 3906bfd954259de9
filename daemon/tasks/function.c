/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/function.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "proto/pack.h"

void function_call_done(struct function_call *call)
{
    call->args = value_unref(call->args);
    call->env = value_unref(call->env);
}

void functions_register(struct functions *f, const struct function *fn, void *ctx)
{
    assert(f->len < FUNCTIONS_MAX);
    f->all[f->len] = fn;
    f->ctx[f->len++] = ctx;
}

const struct function *functions_find(const struct functions *f, struct bytes name)
{
    for (size_t i = 0; i < f->len; i++)
        if (bytes_equal(name, f->all[i]->name))
            return f->all[i];
    return NULL;
}

void *functions_ctx(const struct functions *f, const struct function *fn)
{
    for (size_t i = 0; i < f->len; i++)
        if (f->all[i] == fn)
            return f->ctx[i];
    return NULL;
}

/* A positional text as the parameter's type. */
static int bind_text(const struct param *p, struct bytes text, struct buf *out, struct err *err)
{
    if (p->type == PARAM_TEXT || p->type == PARAM_TEXTS) {
        pack_text_n(out, text.data, text.len);
        return 0;
    }
    _cleanup_(defs_freep) char *copy = bytes_dup(text);
    if (!copy)
        return err_set(err, -ENOMEM, "out of memory");
    uint64_t n;
    bool whole = strlen(copy) == text.len; /* no NUL inside */
    if (p->type == PARAM_DURATION) {
        if (!whole || parse_duration(copy, &n) < 0)
            return err_set(err, -EINVAL, "\"%s\" must be a duration like 2.5, 10s or 1h30m",
                           p->name);
        pack_double(out, (double)n / (double)NSEC_PER_SEC);
    } else if (p->type == PARAM_UINT) {
        /* 022 is octal to one reader and 22 to another */
        bool octal = copy[0] == '0' && copy[1] != '\0';
        if (!whole || octal || parse_u64(copy, &n) < 0)
            return err_set(err, -EINVAL, "\"%s\" must be a number", p->name);
        pack_uint(out, n);
    } else {
        bool yes = strcmp(copy, "true") == 0 || strcmp(copy, "1") == 0;
        if (!whole || (!yes && strcmp(copy, "false") != 0 && strcmp(copy, "0") != 0))
            return err_set(err, -EINVAL, "\"%s\" must be true or false", p->name);
        pack_bool(out, yes);
    }
    return 0;
}

static bool bind_is_text(const msgpack_object *o, struct bytes *ret)
{
    if (o->type != MSGPACK_OBJECT_STR && o->type != MSGPACK_OBJECT_BIN)
        return false;
    *ret = object_text(o);
    return true;
}

static void bind_object(struct buf *out, const msgpack_object *o);

/* One argument: a text is read as the declared type, anything else stays for check. */
static int bind_one(const struct param *p, const msgpack_object *o, struct buf *out,
                    struct err *err)
{
    struct bytes text;
    if (bind_is_text(o, &text))
        return bind_text(p, text, out, err);
    bind_object(out, o);
    return 0;
}

static int bind_write(void *data, const char *bytes, size_t len)
{
    buf_append(data, bytes, len);
    return 0;
}

static void bind_object(struct buf *out, const msgpack_object *o)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, bind_write);
    msgpack_pack_object(&packer, *o);
}

static int bind_positional(const struct function *fn, const msgpack_object_array *args,
                           struct buf *out, struct err *err)
{
    struct pack_map_place place = pack_map_begin(out);
    uint32_t at = 0;
    for (size_t i = 0; i < fn->nparams && at < args->size; i++) {
        const struct param *p = &fn->params[i];
        pack_key(out, &place, p->name);
        if (p->many) {
            pack_array(out, args->size - at);
            while (at < args->size)
                bind_object(out, &args->ptr[at++]);
        } else {
            int r = bind_one(p, &args->ptr[at++], out, err);
            if (r < 0)
                return r;
        }
    }
    if (at < args->size)
        return err_set(err, -EINVAL, "%s takes at most %zu arguments, not %u", fn->name,
                       fn->nparams, args->size);
    pack_map_end(out, &place);
    return 0;
}

static const struct param *bind_find(const struct function *fn, struct bytes name)
{
    for (size_t i = 0; i < fn->nparams; i++)
        if (bytes_equal(name, fn->params[i].name))
            return &fn->params[i];
    return NULL;
}

static int bind_map(const struct function *fn, const msgpack_object_map *map, struct buf *out,
                    struct err *err)
{
    pack_map(out, map->size);
    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object_kv *kv = &map->ptr[i];
        struct bytes name;
        const struct param *p = bind_is_text(&kv->key, &name) ? bind_find(fn, name) : NULL;
        bind_object(out, &kv->key);
        if (p && p->type != PARAM_TEXTS) {
            int r = bind_one(p, &kv->val, out, err);
            if (r < 0)
                return r;
        } else {
            bind_object(out, &kv->val); /* a name that is unknown is refused by check */
        }
    }
    return 0;
}

/* Whether the map is what check reads: no text that stands for another type. */
static bool bind_is_bound(const struct function *fn, const msgpack_object *args)
{
    if (!args || args->type != MSGPACK_OBJECT_MAP)
        return false;
    for (uint32_t i = 0; i < args->via.map.size; i++) {
        const msgpack_object_kv *kv = &args->via.map.ptr[i];
        struct bytes name, text;
        const struct param *p = bind_is_text(&kv->key, &name) ? bind_find(fn, name) : NULL;
        if (p && p->type != PARAM_TEXT && p->type != PARAM_TEXTS &&
            bind_is_text(&kv->val, &text))
            return false;
    }
    return true;
}

int function_bind(const struct function *fn, const msgpack_object *args,
                  struct function_call *ret, struct err *err)
{
    if (bind_is_bound(fn, args))
        return fn->check(args, ret, err);
    _cleanup_(buf_done) struct buf out = BUF_INIT;
    int r = 0;
    if (!args)
        pack_map(&out, 0);
    else if (args->type == MSGPACK_OBJECT_ARRAY)
        r = bind_positional(fn, &args->via.array, &out, err);
    else if (args->type == MSGPACK_OBJECT_MAP)
        r = bind_map(fn, &args->via.map, &out, err);
    else
        r = err_set(err, -EINVAL, "\"args\" must be a map or an array");
    if (r < 0)
        return r;
    if (!buf_ok(&out))
        return err_set(err, -ENOMEM, "out of memory");
    if (out.len > LIMIT_ARGS_BYTES + LIMIT_ENV_BYTES)
        return err_set(err, -EMSGSIZE, "\"args\" is over the limit of %u bytes",
                       LIMIT_ARGS_BYTES + LIMIT_ENV_BYTES);
    struct unpacked bound = UNPACKED_INIT;
    r = unpack(&bound, out.data, out.len);
    if (r == 0)
        r = fn->check(&bound.root, ret, err);
    unpacked_done(&bound);
    return r;
}
