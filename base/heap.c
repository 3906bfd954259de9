/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum { HEAP_FIRST_CAP = 16 };

void heap_init(struct heap *h, heap_less_fn *less)
{
    *h = (struct heap){.less = less};
}

void heap_done(struct heap *h)
{
    for (size_t i = 0; i < h->len; i++)
        h->nodes[i]->place = 0;
    free(h->nodes);
    *h = (struct heap){.less = h->less};
}

int heap_reserve(struct heap *h)
{
    if (h->len < h->cap)
        return 0;
    if (h->cap > SIZE_MAX / (2 * sizeof(*h->nodes)))
        return -ENOMEM;
    size_t cap = h->cap ? h->cap * 2 : HEAP_FIRST_CAP;
    struct heap_node **nodes = realloc(h->nodes, cap * sizeof(*nodes));
    if (!nodes)
        return -ENOMEM;
    h->nodes = nodes;
    h->cap = cap;
    return 0;
}

static void heap_put(struct heap *h, size_t i, struct heap_node *n)
{
    h->nodes[i] = n;
    n->place = i + 1;
}

static void heap_up(struct heap *h, size_t i, struct heap_node *n)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!h->less(n, h->nodes[parent]))
            break;
        heap_put(h, i, h->nodes[parent]);
        i = parent;
    }
    heap_put(h, i, n);
}

static void heap_down(struct heap *h, size_t i, struct heap_node *n)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->len)
            break;
        if (child + 1 < h->len && h->less(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!h->less(h->nodes[child], n))
            break;
        heap_put(h, i, h->nodes[child]);
        i = child;
    }
    heap_put(h, i, n);
}

int heap_push(struct heap *h, struct heap_node *n)
{
    int r = heap_reserve(h);
    if (r < 0)
        return r;
    h->len++;
    heap_up(h, h->len - 1, n);
    return 0;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    if (!n->place)
        return;
    size_t i = n->place - 1;
    n->place = 0;
    h->len--;
    if (i == h->len)
        return;
    struct heap_node *last = h->nodes[h->len];
    if (i > 0 && h->less(last, h->nodes[(i - 1) / 2]))
        heap_up(h, i, last);
    else
        heap_down(h, i, last);
}

struct heap_node *heap_peek(const struct heap *h)
{
    return h->len ? h->nodes[0] : NULL;
}
