/* SPDX-License-Identifier: MIT */
#include "client/submit.h"

int submit_send(struct context *c, const struct spec_options *o, char **words, size_t n,
                bool split, uint32_t *ret_msgid, struct err *err)
{
    _cleanup_(reply_freep) struct reply *functions = NULL;
    _cleanup_(buf_done) struct buf params = BUF_INIT;
    int r = spec_check(o, words, n, err);
    if (r == 0)
        r = context_connect(c, err);
    if (r == 0 && spec_needs_functions(o, words, n))
        r = context_call(c, "functions", NULL, &functions, err);
    if (r == 0)
        r = spec_pack(&params, o, words, n, split, functions ? functions->result : NULL, err);
    if (r == 0)
        r = link_request(&c->link, "submit", &params, ret_msgid, err);
    return r;
}
