/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * heap - a binary heap of embedded nodes, smallest first.
 *
 * Owns its array of pointers, never the nodes. A node knows its place, so that
 * removing one from the middle costs O(log n). Not idle nodes may not move in memory.
 */
#include <stdbool.h>
#include <stddef.h>

struct heap_node {
    size_t place; /* private: 1 + index in the array, 0 when in no heap */
};
#define HEAP_NODE_INIT                                                                         \
    {                                                                                          \
        0                                                                                      \
    }

typedef bool heap_less_fn(const struct heap_node *a, const struct heap_node *b);

struct heap {
    struct heap_node **nodes; /* owned array of borrowed nodes */
    size_t len;
    size_t cap;
    heap_less_fn *less;
};

void heap_init(struct heap *h, heap_less_fn *less);
void heap_done(struct heap *h); /* frees the array; nodes still in it are forgotten */
/* Makes room for one more node, so that the next heap_push cannot fail. 0 or -ENOMEM. */
int heap_reserve(struct heap *h);
/* Adds a node that is in no heap. 0 or -ENOMEM (the node is then in no heap). */
int heap_push(struct heap *h, struct heap_node *n);
/* Removes a node; does nothing for one that is in no heap. */
void heap_remove(struct heap *h, struct heap_node *n);
struct heap_node *heap_peek(const struct heap *h); /* the smallest, or NULL */

static inline bool heap_node_queued(const struct heap_node *n)
{
    return n->place != 0;
}
