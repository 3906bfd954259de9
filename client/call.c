/* SPDX-License-Identifier: MIT */
/*
 * call - first the keywords are told apart, then each parameter gets its texts, in declared
 * order.
 */
#include "client/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "proto/pack.h"
#include "proto/unpack.h"

bool call_needs_functions(char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strchr(words[i], '='))
            return true;
    }
    return false;
}

const msgpack_object *call_find(const msgpack_object *functions, const char *name)
{
    if (!functions || functions->type != MSGPACK_OBJECT_ARRAY)
        return NULL;
    for (uint32_t i = 0; i < functions->via.array.size; i++) {
        const msgpack_object *function = &functions->via.array.ptr[i];
        if (bytes_equal(map_text(function, "name"), name))
            return function;
    }
    return NULL;
}

/* The parameter that word sets by keyword, or -1. */
static int call_keyword(const msgpack_object_array *params, const char *word)
{
    const char *equals = strchr(word, '=');
    if (!equals)
        return -1;
    for (uint32_t i = 0; i < params->size; i++) {
        struct bytes name = map_text(&params->ptr[i], "name");
        if (name.len == (size_t)(equals - word) && memcmp(name.data, word, name.len) == 0)
            return (int)i;
    }
    return -1;
}

/* Says for each word which parameter it belongs to. */
static int call_bind(const char *function, const msgpack_object_array *params,
                     char *const *words, size_t n, const int *keywords, uint32_t *ret,
                     struct err *err)
{
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (keywords[i] >= 0) {
            ret[i] = (uint32_t)keywords[i];
        } else if (next < params->size) {
            ret[i] = next;
            next += !map_bool(&params->ptr[next], "many", false);
        } else {
            return err_set(err, -EINVAL,
                           "%s takes at most %u arguments: \"%s\" is one too many", function,
                           params->size, words[i]);
        }
        if (map_bool(&params->ptr[ret[i]], "many", false))
            continue;
        for (size_t k = 0; k < i; k++) {
            struct bytes name = map_text(&params->ptr[ret[i]], "name");
            if (ret[k] == ret[i])
                return err_set(err, -EINVAL, "%s got its argument %.*s twice", function,
                               (int)name.len, name.data);
        }
    }
    return 0;
}

/* One key with its text, or the texts of a parameter that takes many. */
static void call_pack_param(struct buf *b, struct pack_map_place *map,
                            const msgpack_object *param, uint32_t index, char *const *words,
                            size_t n, const int *keywords, const uint32_t *bound)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += bound[i] == index;
    if (count == 0)
        return;
    _cleanup_(defs_freep) char *name = bytes_dup(map_text(param, "name"));
    if (!name) {
        b->failed = true;
        return;
    }
    pack_key(b, map, name);
    if (map_bool(param, "many", false))
        pack_array(b, count);
    for (size_t i = 0; i < n; i++) {
        if (bound[i] == index)
            pack_text(b, keywords[i] >= 0 ? strchr(words[i], '=') + 1 : words[i]);
    }
}

/* The arguments as a map; called when some word is a keyword. */
static int call_pack_map(struct buf *b, const char *function,
                         const msgpack_object_array *params, char *const *words, size_t n,
                         const int *keywords, struct err *err)
{
    _cleanup_(defs_freep) uint32_t *bound = calloc(n, sizeof(*bound));
    if (!bound)
        return err_set(err, -ENOMEM, "out of memory");
    int r = call_bind(function, params, words, n, keywords, bound, err);
    if (r < 0)
        return r;
    struct pack_map_place map = pack_map_begin(b);
    for (uint32_t i = 0; i < params->size; i++)
        call_pack_param(b, &map, &params->ptr[i], i, words, n, keywords, bound);
    pack_map_end(b, &map);
    return 0;
}

int call_pack(struct buf *b, const char *function, char *const *words, size_t n,
              const msgpack_object *functions, struct err *err)
{
    const msgpack_object *params = map_get(call_find(functions, function), "params");
    _cleanup_(defs_freep) int *keywords = calloc(n + 1, sizeof(*keywords));
    bool any = false;
    if (!keywords)
        return err_set(err, -ENOMEM, "out of memory");
    bool declared = params && params->type == MSGPACK_OBJECT_ARRAY;
    for (size_t i = 0; i < n; i++) {
        keywords[i] = declared ? call_keyword(&params->via.array, words[i]) : -1;
        any = any || keywords[i] >= 0;
    }
    if (any)
        return call_pack_map(b, function, &params->via.array, words, n, keywords, err);
    pack_array(b, n);
    for (size_t i = 0; i < n; i++)
        pack_text(b, words[i]);
    return 0;
}
