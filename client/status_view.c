/* SPDX-License-Identifier: MIT */
#include "client/status_view.h"

#include <ctype.h>
#include <errno.h>

#include "base/defs.h"
#include "client/detail.h"
#include "client/ids.h"
#include "client/table.h"
#include "proto/pack.h"

void status_view_done(struct status_view *s)
{
    overview_done(&s->overview);
    pages_done(&s->pages);
    s->detail = reply_free(s->detail);
}

int status_view_query(const struct status_view *s, const struct view *view,
                      struct pages_query *ret, struct err *err)
{
    *ret = (struct pages_query){
        .ids = s->nwords > 0 ? s->words : NULL,
        .nids = s->nwords,
        .most = s->rows,
    };
    return filters_apply(s->filters, view, ret, err);
}

int status_view_check(const struct status_view *s, const struct pages *first, struct err *err)
{
    int r = pages_check_group(first, s->filters->group, err);
    if (r < 0)
        return r;
    if (s->nwords > 0 && first->n == 0)
        return err_set(err, -ENOENT, "nothing matches");
    return 0;
}

static int status_view_read_list(struct status_view *s, struct context *c,
                                 const struct view *view, struct err *err)
{
    struct pages_query query;
    pages_done(&s->pages);
    int r = status_view_query(s, view, &query, err);
    if (r == 0)
        r = pages_read(&s->pages, c, &query, &s->next, err);
    return r == 0 ? status_view_check(s, &s->pages, err) : r;
}

static int status_view_read_overview(struct status_view *s, struct context *c,
                                     const struct view *view, struct err *err)
{
    struct overview_query query = {
        .group = s->filters->group,
        .done_rows = s->rows,
        .people = true,
        .wide = s->wide,
    };
    int r = overview_read(&s->overview, c, &query, view, err);
    return r == 0 ? status_view_check(s, &s->overview.pages, err) : r;
}

static int status_view_read_detail(struct status_view *s, struct context *c, struct err *err)
{
    struct buf params = BUF_INIT;
    s->detail = reply_free(s->detail);
    pack_map(&params, 2);
    ids_pack_one(&params, s->words[0]);
    pack_text(&params, "env");
    pack_bool(&params, s->env);
    return context_call(c, "task", &params, &s->detail, err);
}

int status_view_read(struct status_view *s, struct context *c, const struct view *view,
                     struct err *err)
{
    if (s->mode == STATUS_DETAIL) {
        int r = status_view_read_detail(s, c, err);
        if (r != -EINVAL || !isalpha((unsigned char)s->words[0][0]))
            return r;
        *err = (struct err)ERR_INIT; /* a name of several live tasks: their rows */
        s->mode = STATUS_LIST;
        s->rows = UINT64_MAX;
    }
    if (s->mode == STATUS_LIST)
        return status_view_read_list(s, c, view, err);
    return status_view_read_overview(s, c, view, err);
}

bool status_view_empty(const struct status_view *s)
{
    return s->mode == STATUS_LIST && s->pages.n == 0;
}

static void status_view_render_list(struct buf *b, const struct status_view *s,
                                    const struct view *view)
{
    struct table_input input = {
        .tasks = s->pages.tasks,
        .n = s->pages.n,
        .groups = map_get(s->pages.replies[0]->result, "groups"),
        .wide = s->wide,
    };
    if (table_render(b, &input, view) < 0)
        b->failed = true;
    if (s->next)
        buf_puts(b, "there are more: -n N or --all\n");
}

void status_view_render(struct buf *b, const struct status_view *s, const msgpack_object *hello,
                        const struct view *view)
{
    if (s->mode == STATUS_DETAIL)
        detail_render(b, s->detail->result, view);
    else if (s->mode == STATUS_LIST)
        status_view_render_list(b, s, view);
    else
        overview_render(b, &s->overview, hello, view);
}
