/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * json - MessagePack objects as JSON.
 *
 * Texts and bytes that are UTF-8 become strings, other bytes {"base64": "…"}. Map keys that are
 * no texts become strings of their JSON. NaN and infinity become null. No line ends are
 * written, and nothing a terminal would act on.
 */
#include <msgpack.h>
#include <stddef.h>

#include "base/buf.h"

void json_write(struct buf *out, const msgpack_object *); /* NULL: null */
void json_write_text(struct buf *out, const char *bytes, size_t len);
