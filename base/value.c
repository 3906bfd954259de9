/* SPDX-License-Identifier: MIT */
#include "base/value.h"

#include <stdlib.h>
#include <string.h>

struct value *value_new(const void *bytes, size_t len)
{
    if (len > UINT32_MAX - sizeof(struct value))
        return NULL;
    struct value *v = malloc(sizeof(*v) + len);
    if (!v)
        return NULL;
    v->refs = 1;
    v->len = (uint32_t)len;
    if (len)
        memcpy(v->bytes, bytes, len);
    return v;
}

struct value *value_ref(struct value *v)
{
    if (v)
        v->refs++;
    return v;
}

struct value *value_unref(struct value *v)
{
    if (v && --v->refs == 0)
        free(v);
    return NULL;
}
