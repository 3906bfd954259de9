/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/children.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN_FIRST_BUCKETS = 64 };

static struct list *children_buckets_new(size_t n)
{
    struct list *buckets = calloc(n, sizeof(*buckets));
    for (size_t i = 0; buckets && i < n; i++)
        list_init(&buckets[i]);
    return buckets;
}

int children_init(struct children *c)
{
    *c = (struct children){.nbuckets = CHILDREN_FIRST_BUCKETS};
    list_init(&c->all);
    c->buckets = children_buckets_new(c->nbuckets);
    return c->buckets ? 0 : -ENOMEM;
}

static void child_free(struct child *child)
{
    if (child->pidfd >= 0)
        close(child->pidfd);
    free(child);
}

void children_done(struct children *c)
{
    list_for_each_safe (node, &c->all)
        child_free(container_of(node, struct child, all));
    list_init(&c->all);
    free(c->buckets);
    c->buckets = NULL;
}

/* Tokens are random: any part of one is a hash of it. */
static struct list *children_bucket(const struct children *c, const uint8_t *token)
{
    uint64_t hash;
    memcpy(&hash, token, sizeof(hash));
    return &c->buckets[hash & (c->nbuckets - 1)];
}

struct child *children_find(const struct children *c, const uint8_t token[RECORD_TOKEN_BYTES])
{
    struct list *bucket = children_bucket(c, token);
    list_for_each (node, bucket) {
        struct child *child = container_of(node, struct child, bucket);
        if (memcmp(child->token, token, RECORD_TOKEN_BYTES) == 0)
            return child;
    }
    return NULL;
}

/* Without memory for more buckets they only get longer. */
static void children_grow(struct children *c)
{
    size_t n = c->nbuckets * 2;
    struct list *buckets = children_buckets_new(n);
    if (!buckets)
        return;
    free(c->buckets);
    c->buckets = buckets;
    c->nbuckets = n;
    list_for_each (node, &c->all) {
        struct child *child = container_of(node, struct child, all);
        list_push_back(children_bucket(c, child->token), &child->bucket);
    }
}

struct child *children_add(struct children *c, const uint8_t token[RECORD_TOKEN_BYTES],
                           const uint8_t instance[RECORD_UUID_BYTES])
{
    struct child *child = calloc(1, sizeof(*child));
    if (!child)
        return NULL;
    child->source.kind = SOURCE_CHILD;
    child->pidfd = -1;
    memcpy(child->token, token, RECORD_TOKEN_BYTES);
    memcpy(child->instance, instance, RECORD_UUID_BYTES);
    list_init(&child->owing);
    list_init(&child->holding);
    if (c->count >= c->nbuckets)
        children_grow(c);
    list_push_back(children_bucket(c, token), &child->bucket);
    list_push_back(&c->all, &child->all);
    c->count++;
    return child;
}

void children_remove(struct children *c, struct child *child)
{
    if (child->pidfd >= 0) {
        siginfo_t si;
        waitid(P_PIDFD, (id_t)child->pidfd, &si, WEXITED | WNOHANG);
    }
    c->count--;
    c->left -= child->left;
    list_remove(&child->all);
    list_remove(&child->bucket);
    list_remove(&child->owing);
    list_remove(&child->holding);
    child_free(child);
}
