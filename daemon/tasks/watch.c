/* SPDX-License-Identifier: MIT */
#include "daemon/tasks/watch.h"

#include "base/clock.h"
#include "daemon/tasks/group.h"
#include "daemon/tasks/record.h"
#include "daemon/tasks/view.h"

void watchers_init(struct watchers *w)
{
    list_init(&w->all);
}

void watch_begin(struct watchers *w, struct watcher *watcher,
                 void (*told)(struct watcher *, struct watch_event *))
{
    watcher->told = told;
    list_push_back(&w->all, &watcher->node);
}

void watch_end(struct watcher *watcher)
{
    if (watcher->node.next)
        list_remove(&watcher->node);
}

static void watch_tell(struct watchers *w, struct watch_event *event)
{
    list_for_each_safe (it, &w->all) {
        struct watcher *watcher = container_of(it, struct watcher, node);
        watcher->told(watcher, event);
    }
    buf_done(&event->body);
}

void watch_tell_state(struct watchers *w, struct task *t, const char *was)
{
    watch_tell(w, &(struct watch_event){.what = WATCH_STATE,
                                        .id = t->id,
                                        .uid = t->uid,
                                        .group = t->group->name,
                                        .task = t,
                                        .was = was,
                                        .body = BUF_INIT});
}

void watch_tell_done(struct watchers *w, struct task *t, struct value *done)
{
    watch_tell(w, &(struct watch_event){.what = WATCH_STATE,
                                        .id = t->id,
                                        .uid = t->uid,
                                        .group = t->group->name,
                                        .done = done,
                                        .was = task_state_name(t->state),
                                        .body = BUF_INIT});
}

void watch_tell_removed(struct watchers *w, uint64_t id, uint32_t uid, const char *group)
{
    watch_tell(
        w, &(struct watch_event){
               .what = WATCH_REMOVED, .id = id, .uid = uid, .group = group, .body = BUF_INIT});
}

void watch_tell_group(struct watchers *w, const struct group *group, bool gone)
{
    watch_tell(w, &(struct watch_event){.what = WATCH_GROUP,
                                        .group = group->name,
                                        .subject = group,
                                        .gone = gone,
                                        .body = BUF_INIT});
}

/* ---- the body ---- */

static void watch_key(struct watch_event *e, const char *key)
{
    pack_text(&e->body, key);
    e->keys++;
}

static void watch_render_state(struct watch_event *e)
{
    watch_key(e, "state");
    pack_text(&e->body, task_state_name(e->task ? e->task->state : TASK_DONE));
    watch_key(e, "was");
    pack_text(&e->body, e->was);
    watch_key(e, "task");
    if (e->task)
        view_live(&e->body, e->task);
    else
        pack_value(&e->body, e->done);
}

const struct buf *watch_body(struct watch_event *e, uint32_t *ret_keys)
{
    static const char *const names[] = {"state", "removed", "group"};
    if (!e->keys) {
        watch_key(e, "time");
        pack_time(&e->body, clock_wall());
        watch_key(e, "what");
        pack_text(&e->body, names[e->what]);
        if (e->what != WATCH_GROUP) {
            watch_key(e, "id");
            pack_uint(&e->body, e->id);
        }
        if (e->what == WATCH_STATE)
            watch_render_state(e);
        if (e->what == WATCH_GROUP) {
            watch_key(e, "group");
            view_group(&e->body, e->subject, e->gone);
        }
    }
    *ret_keys = e->keys;
    return &e->body;
}
