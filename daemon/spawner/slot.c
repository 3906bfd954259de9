/* SPDX-License-Identifier: MIT */
#include "daemon/spawner/slot.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Bytes of shared memory in one chunk: one page where pages are smallest. */
enum { SLOT_CHUNK_BYTES = 4096, SLOT_CHUNK_SLOTS = SLOT_CHUNK_BYTES / sizeof(struct slot) };

struct slot_chunk {
    struct list node;
    struct slot *slots; /* owned, MAP_SHARED */
    unsigned used;
    bool taken[SLOT_CHUNK_SLOTS];
};

void slots_init(struct slots *s)
{
    list_init(&s->chunks);
}

static void slot_chunk_free(struct slot_chunk *chunk)
{
    list_remove(&chunk->node);
    munmap(chunk->slots, SLOT_CHUNK_BYTES);
    free(chunk);
}

void slots_done(struct slots *s)
{
    while (!list_empty(&s->chunks))
        slot_chunk_free(container_of(s->chunks.next, struct slot_chunk, node));
}

static struct slot_chunk *slot_chunk_new(struct slots *s)
{
    struct slot_chunk *chunk = calloc(1, sizeof(*chunk));
    if (!chunk)
        return NULL;
    void *page =
        mmap(NULL, SLOT_CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        free(chunk);
        return NULL;
    }
    chunk->slots = page;
    list_push_front(&s->chunks, &chunk->node);
    return chunk;
}

static struct slot_chunk *slot_chunk_with_room(struct slots *s)
{
    list_for_each (node, &s->chunks) {
        struct slot_chunk *chunk = container_of(node, struct slot_chunk, node);
        if (chunk->used < SLOT_CHUNK_SLOTS)
            return chunk;
    }
    return slot_chunk_new(s);
}

struct slot *slot_take(struct slots *s)
{
    struct slot_chunk *chunk = slot_chunk_with_room(s);
    if (!chunk)
        return NULL;
    unsigned i = 0;
    while (chunk->taken[i])
        i++;
    chunk->taken[i] = true;
    chunk->used++;
    chunk->slots[i] = (struct slot){0, 0};
    return &chunk->slots[i];
}

void slot_give(struct slots *s, struct slot *slot)
{
    list_for_each (node, &s->chunks) {
        struct slot_chunk *chunk = container_of(node, struct slot_chunk, node);
        if (slot < chunk->slots || slot >= chunk->slots + SLOT_CHUNK_SLOTS)
            continue;
        chunk->taken[slot - chunk->slots] = false;
        /* The last chunk is kept: most of the time there is one child or none. */
        if (--chunk->used == 0 && s->chunks.next != s->chunks.prev)
            slot_chunk_free(chunk);
        return;
    }
}
