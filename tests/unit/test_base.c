/* SPDX-License-Identifier: MIT */
/*
 * test_base - list, heap, buf, value, err. The order of the heap is checked after every step of
 * a long random sequence (fixed seed) of pushes and removals from any place.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/value.h"

/* ---- list ---- */

struct item {
    int n;
    struct list node;
};

/* The numbers in the list, one decimal digit each. */
static long list_digits(const struct list *head)
{
    long digits = 0;
    list_for_each (it, head) {
        digits = digits * 10 + container_of(it, struct item, node)->n;
        assert_ptr_equal(it->next->prev, it);
    }
    return digits;
}

static void list_keeps_order(void **state)
{
    (void)state;
    struct list head = LIST_INIT(head);
    struct item items[4] = {{.n = 1}, {.n = 2}, {.n = 3}, {.n = 4}};
    assert_true(list_empty(&head));
    assert_null(list_pop_front(&head));
    list_push_back(&head, &items[1].node);
    list_push_back(&head, &items[2].node);
    list_push_front(&head, &items[0].node);
    list_push_back(&head, &items[3].node);
    assert_int_equal(list_digits(&head), 1234);
    list_remove(&items[2].node);
    assert_int_equal(list_digits(&head), 124);
    list_remove(&items[2].node); /* twice is nothing */
    assert_int_equal(list_digits(&head), 124);
    assert_ptr_equal(list_pop_front(&head), &items[0].node);
    assert_true(list_empty(&items[0].node));
    assert_int_equal(list_digits(&head), 24);
}

static void list_splices_in_order(void **state)
{
    (void)state;
    struct list a = LIST_INIT(a), b = LIST_INIT(b);
    struct item items[4] = {{.n = 1}, {.n = 2}, {.n = 3}, {.n = 4}};
    list_splice_back(&a, &b);
    assert_true(list_empty(&a));
    for (int i = 0; i < 4; i++)
        list_push_back(i < 2 ? &a : &b, &items[i].node);
    list_splice_back(&a, &b);
    assert_int_equal(list_digits(&a), 1234);
    assert_true(list_empty(&b));
    list_splice_back(&b, &a);
    assert_int_equal(list_digits(&b), 1234);
    assert_true(list_empty(&a));
}

static void list_removes_while_walking(void **state)
{
    (void)state;
    struct list head = LIST_INIT(head);
    struct item items[5];
    for (int i = 0; i < 5; i++) {
        items[i].n = i + 1;
        list_push_back(&head, &items[i].node);
    }
    list_for_each_safe (it, &head) {
        if (container_of(it, struct item, node)->n % 2)
            list_remove(it);
    }
    assert_int_equal(list_digits(&head), 24);
}

/* ---- heap ---- */

enum { HEAP_NODES = 200, HEAP_STEPS = 20000 };

struct timed {
    int when;
    struct heap_node node;
};

static bool timed_less(const struct heap_node *a, const struct heap_node *b)
{
    return container_of(a, struct timed, node)->when <
           container_of(b, struct timed, node)->when;
}

static int heap_smallest(const struct heap *h)
{
    return container_of(heap_peek(h), struct timed, node)->when;
}

/* No node is smaller than its parent, and each knows its place. */
static void check_heap(const struct heap *h)
{
    for (size_t i = 0; i < h->len; i++) {
        assert_int_equal(h->nodes[i]->place, i + 1);
        assert_false(i > 0 && timed_less(h->nodes[i], h->nodes[(i - 1) / 2]));
    }
}

static void heap_sorts(void **state)
{
    (void)state;
    struct heap h;
    struct timed nodes[HEAP_NODES];
    heap_init(&h, timed_less);
    assert_null(heap_peek(&h));
    for (int i = 0; i < HEAP_NODES; i++) {
        nodes[i] = (struct timed){.when = i * 7919 % 101, .node = HEAP_NODE_INIT};
        assert_false(heap_node_queued(&nodes[i].node));
        assert_int_equal(heap_push(&h, &nodes[i].node), 0);
        assert_true(heap_node_queued(&nodes[i].node));
    }
    int last = -1;
    for (int i = 0; i < HEAP_NODES; i++) {
        assert_true(heap_smallest(&h) >= last);
        last = heap_smallest(&h);
        struct heap_node *n = heap_peek(&h);
        heap_remove(&h, n);
        assert_false(heap_node_queued(n));
    }
    assert_null(heap_peek(&h));
    heap_done(&h);
}

static void heap_removes_from_the_middle(void **state)
{
    (void)state;
    struct heap h;
    heap_init(&h, timed_less);
    /* 9 stands under 1's first child 8, the last node 2 under its second: it has to go up */
    static const int when[] = {1, 8, 1, 9, 10, 2, 2};
    struct timed nodes[ARRAY_SIZE(when)];
    for (size_t i = 0; i < ARRAY_SIZE(when); i++) {
        nodes[i] = (struct timed){.when = when[i], .node = HEAP_NODE_INIT};
        assert_int_equal(heap_push(&h, &nodes[i].node), 0);
    }
    heap_remove(&h, &nodes[3].node);
    check_heap(&h);
    heap_remove(&h, &nodes[3].node); /* twice is nothing */
    assert_int_equal(h.len, ARRAY_SIZE(when) - 1);
    static const int rest[] = {1, 1, 2, 2, 8, 10};
    for (size_t i = 0; i < ARRAY_SIZE(rest); i++) {
        assert_int_equal(heap_smallest(&h), rest[i]);
        heap_remove(&h, heap_peek(&h));
    }
    heap_done(&h);
}

static void heap_keeps_order_at_random(void **state)
{
    (void)state;
    struct heap h;
    static struct timed nodes[HEAP_NODES];
    unsigned seed = 7;
    size_t queued = 0;
    heap_init(&h, timed_less);
    for (int step = 0; step < HEAP_STEPS; step++) {
        struct timed *t = &nodes[rand_r(&seed) % HEAP_NODES];
        if (heap_node_queued(&t->node)) {
            heap_remove(&h, &t->node);
            queued--;
        } else {
            t->when = rand_r(&seed) % 1000;
            assert_int_equal(heap_push(&h, &t->node), 0);
            queued++;
        }
        assert_int_equal(h.len, queued);
        check_heap(&h);
    }
    heap_done(&h);
    for (int i = 0; i < HEAP_NODES; i++)
        assert_false(heap_node_queued(&nodes[i].node));
}

static void heap_push_after_reserve_keeps_the_array(void **state)
{
    (void)state;
    struct heap h;
    static struct timed nodes[100];
    heap_init(&h, timed_less);
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
        assert_int_equal(heap_reserve(&h), 0);
        assert_true(h.cap > h.len);
        struct heap_node **before = h.nodes;
        assert_int_equal(heap_push(&h, &nodes[i].node), 0);
        assert_ptr_equal(h.nodes, before);
    }
    heap_done(&h);
}

/* ---- buf ---- */

static void buf_appends_and_consumes(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    assert_string_equal(buf_cstr(&b), "");
    buf_puts(&b, "abc");
    buf_append(&b, "\0d", 2);
    buf_append(&b, NULL, 0);
    buf_printf(&b, "%d-%s", 42, "x");
    assert_int_equal(b.len, 9);
    assert_memory_equal(b.data, "abc\0d42-x", 9);
    buf_consume(&b, 5);
    assert_string_equal(buf_cstr(&b), "42-x");
    buf_consume(&b, 0);
    buf_consume(&b, 4);
    assert_int_equal(b.len, 0);
    buf_done(&b);
    buf_done(&b);
    buf_puts(&b, "again");
    assert_string_equal(buf_cstr(&b), "again");
    buf_done(&b);
}

static void buf_grows(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    for (uint32_t i = 0; i < 100000; i++)
        buf_append(&b, &i, sizeof(i));
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 400000);
    uint32_t n;
    memcpy(&n, b.data + 4 * 77777, sizeof(n));
    assert_int_equal(n, 77777);
    size_t cap = b.cap;
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.cap, cap);
    buf_done(&b);
}

static void buf_remembers_that_it_failed(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_puts(&b, "first");
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 4), -ENOMEM);
    assert_false(buf_ok(&b));
    buf_puts(&b, "lost");
    assert_int_equal(b.len, 5);
    assert_null(buf_cstr(&b));
    buf_clear(&b);
    assert_true(buf_ok(&b));
    buf_puts(&b, "usable");
    assert_string_equal(buf_cstr(&b), "usable");
    buf_done(&b);
}

/* ---- value ---- */

static void value_counts(void **state)
{
    (void)state;
    struct value *v = value_new("bytes\0x", 7);
    assert_non_null(v);
    assert_int_equal(v->len, 7);
    assert_memory_equal(v->bytes, "bytes\0x", 7);
    assert_ptr_equal(value_ref(v), v);
    assert_null(value_unref(v));
    assert_int_equal(v->refs, 1);
    assert_null(value_unref(v)); /* the leak checker sees whether this freed it */
    assert_null(value_ref(NULL));
    assert_null(value_unref(NULL));
    struct value *empty _cleanup_(value_unrefp) = value_new(NULL, 0);
    assert_int_equal(empty->len, 0);
    assert_null(value_new("", (size_t)UINT32_MAX + 1));
}

/* ---- err ---- */

static void err_is_prefixed_on_its_way(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(err_errno(&err, -ENOENT, "%s", "/srv/x"), -ENOENT);
    assert_int_equal(err_prefix(&err, "cwd"), -ENOENT);
    assert_int_equal(err_prefix(&err, "task %d", 7), -ENOENT);
    assert_string_equal(err.msg, "task 7: cwd: /srv/x: No such file or directory");
    assert_int_equal(err_set(&err, -EINVAL, "no %s", "way"), -EINVAL);
    assert_string_equal(err.msg, "no way");
    assert_int_equal(err.code, -EINVAL);
}

static void err_may_be_null(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, -EINVAL, "x"), -EINVAL);
    assert_int_equal(err_errno(NULL, -ENOENT, "x"), -ENOENT);
    assert_int_equal(err_prefix(NULL, "x"), 0);
}

static void err_cuts_what_is_long(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char text[2 * ERR_MSG_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    err_errno(&err, -ENOENT, "%s", text);
    assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
    err_prefix(&err, "front");
    assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
    assert_memory_equal(err.msg, "front: xxx", 10);
    err_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_keeps_order),
        cmocka_unit_test(list_splices_in_order),
        cmocka_unit_test(list_removes_while_walking),
        cmocka_unit_test(heap_sorts),
        cmocka_unit_test(heap_removes_from_the_middle),
        cmocka_unit_test(heap_keeps_order_at_random),
        cmocka_unit_test(heap_push_after_reserve_keeps_the_array),
        cmocka_unit_test(buf_appends_and_consumes),
        cmocka_unit_test(buf_grows),
        cmocka_unit_test(buf_remembers_that_it_failed),
        cmocka_unit_test(value_counts),
        cmocka_unit_test(err_is_prefixed_on_its_way),
        cmocka_unit_test(err_may_be_null),
        cmocka_unit_test(err_cuts_what_is_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
