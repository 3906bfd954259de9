/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * list - an intrusive, circular, doubly linked list.
 *
 * The head is a node of its own. A node that is in no list points at itself, so
 * list_remove may be called on it at any time, also twice.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/defs.h"

struct list {
    struct list *next; /* borrowed */
    struct list *prev; /* borrowed */
};
#define LIST_INIT(name)                                                                        \
    {                                                                                          \
        &(name), &(name)                                                                       \
    }

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_push_back(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Removes and returns the first node, or NULL. */
static inline struct list *list_pop_front(struct list *head)
{
    if (list_empty(head))
        return NULL;
    struct list *node = head->next;
    list_remove(node);
    return node;
}

/* Moves every node of from to the end of to, in order; from is empty afterwards. */
static inline void list_splice_back(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

/* Neither the node nor its neighbours may be removed inside list_for_each;
 * list_for_each_safe allows to remove the node itself. */
#define list_for_each(it, head)                                                                \
    for (struct list *it = (head)->next; it != (head); it = it->next)
#define list_for_each_safe(it, head)                                                           \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                  \
         it = it##_next, it##_next = it->next)
