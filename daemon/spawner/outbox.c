/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/outbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void outbox_init(struct outbox *o)
{
    list_init(&o->owing);
    list_init(&o->list_end);
}

void outbox_clear(struct outbox *o, struct children *c)
{
    list_for_each (node, &c->all) {
        struct child *child = container_of(node, struct child, all);
        child->owed = 0;
        child->told = false;
        list_remove(&child->owing);
    }
    list_remove(&o->list_end);
}

void outbox_owe(struct outbox *o, struct child *child, bool all)
{
    if (child->started.type && (all || !child->told))
        child->owed |= OWED_STARTED;
    if (child->end.type)
        child->owed |= OWED_END;
    if (child->owed && list_empty(&child->owing))
        list_push_back(&o->owing, &child->owing);
}

void outbox_owe_list(struct outbox *o, struct children *c,
                     const uint8_t instance[RECORD_UUID_BYTES])
{
    list_for_each (node, &c->all) {
        struct child *child = container_of(node, struct child, all);
        if (!child->held && memcmp(child->instance, instance, RECORD_UUID_BYTES) == 0)
            outbox_owe(o, child, true);
    }
    list_remove(&o->list_end);
    list_push_back(&o->owing, &o->list_end);
}

int outbox_send(int fd, const struct record *rec)
{
    ssize_t n;
    do
        n = send(fd, rec, sizeof(*rec), MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static int outbox_send_child(struct child *child, int fd)
{
    if (child->owed & OWED_STARTED) {
        int r = outbox_send(fd, &child->started);
        if (r < 0)
            return r;
        child->told = true;
        child->owed &= ~(unsigned)OWED_STARTED;
    }
    if (child->owed & OWED_END) {
        int r = outbox_send(fd, &child->end);
        if (r < 0)
            return r;
        child->owed &= ~(unsigned)OWED_END;
    }
    return 0;
}

int outbox_flush(struct outbox *o, int fd)
{
    static const struct record end = {.type = RECORD_LIST_END};

    while (!list_empty(&o->owing)) {
        struct list *node = o->owing.next;
        int r = node == &o->list_end
                    ? outbox_send(fd, &end)
                    : outbox_send_child(container_of(node, struct child, owing), fd);
        if (r < 0)
            return r;
        list_remove(node);
    }
    return 0;
}
