/* SPDX-License-Identifier: MIT */
#include "daemon/control/answers.h"

#include "base/limits.h"
#include "daemon/control/call.h"

void answers_begin(struct answers *a, size_t selected)
{
    a->many = selected > LIMIT_ANSWER_ROWS;
}

void answers_end(struct answers *a)
{
    buf_done(&a->rows);
}

struct buf *answers_add(struct answers *a, bool refused)
{
    uint32_t *told = refused ? &a->refused : &a->done;
    if (a->many && *told == LIMIT_ANSWER_ROWS / 2)
        return NULL;
    ++*told;
    a->count++;
    return &a->rows;
}

struct aio_next answers_return(struct answers *a, struct aio_co *co)
{
    struct buf b = BUF_INIT;
    pack_array(&b, a->count);
    buf_append(&b, a->rows.data, a->rows.len);
    if (!buf_ok(&a->rows))
        b.failed = true;
    return call_return(co, &b);
}
