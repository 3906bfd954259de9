/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * python - values, calls and exceptions as a Python programmer would write them. Escaped, on
 * one line.
 */
#include <msgpack.h>

#include "base/buf.h"

void python_object(struct buf *, const msgpack_object *); /* NULL: None */
/* A task's function with its arguments: exec("make", "-j4"), sleep(2.5). For exec only the
 * command line: where it runs is shown elsewhere. */
void python_call(struct buf *, const msgpack_object *task);
/* A failed task's error: ExitStatus(1), OSError("no such file"). */
void python_error(struct buf *, const msgpack_object *error);
