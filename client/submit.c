/* SPDX-License-Identifier: MIT */
#include "client/submit.h"

#include <errno.h>

int submit_send(struct context *c, const struct spec_options *o, char **words, size_t n,
                bool split, uint32_t *ret_msgid, struct err *err)
{
    _cleanup_(reply_freep) struct reply *functions = NULL;
    _cleanup_(buf_done) struct buf params = BUF_INIT;
    int r = spec_check(o, words, n, err);
    c->may_start = true;
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

int submit_wait(struct context *c, uint32_t msgid, uint64_t *ret_id, struct reply **ret_reply,
                struct err *err)
{
    struct reply *reply = NULL;
    int r = context_wait(c, msgid, &reply, err);
    if (r < 0 && c->link.lost && r != -ESHUTDOWN)
        return err_set(err, r,
                       "the event loop at %s went away before it answered: the task may or may "
                       "not have been accepted, `aioctl status` tells once it runs again",
                       c->link.name);
    if (r < 0)
        return r;
    *ret_id = map_uint(reply->result, "id", 0);
    if (ret_reply)
        *ret_reply = reply;
    else
        (void)reply_free(reply);
    return 0;
}
