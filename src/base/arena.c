/* SPDX-License-Identifier: Apache-2.0 */
/* A grow-only pool: many small objects, freed together. */
#include <string.h>

#include "base/context.h"

enum { OBJECT_ALIGNMENT = 16, FIRST_CHUNK = 4096, LARGEST_CHUNK = 1 << 20 };

typedef struct chunk {
    struct chunk *next;
    size_t used, capacity; /* bytes of `data` */
    _Alignas(OBJECT_ALIGNMENT) unsigned char data[];
} chunk;

struct ren__arena {
    ren_context *context; /* held */
    chunk *newest;
    size_t next_capacity;
};

ren_status ren__arena_create(ren_context *context, ren__arena **out) {
    ren_status st = REN_OK;
    ren__arena *arena;

    *out = NULL;
    REN_CALLOC(arena, 1);
    arena->context = ren__context_retain(context);
    arena->next_capacity = FIRST_CHUNK;
    *out = arena;
out:
    return st;
}

static chunk *add_chunk(ren__arena *arena, size_t needed) {
    const size_t capacity = needed > arena->next_capacity ? needed : arena->next_capacity;
    chunk *added = ren__calloc(arena->context, 1, sizeof *added + capacity);

    if (!added) return NULL;
    added->capacity = capacity;
    added->next = arena->newest;
    arena->newest = added;
    if (arena->next_capacity < LARGEST_CHUNK) arena->next_capacity *= 2;
    return added;
}

void *ren__arena_alloc(ren__arena *arena, size_t size) {
    /* A size that wraps is too large for ren__alloc to give, whose error text then says so. */
    if (size > SIZE_MAX / 2) return ren__alloc(arena->context, size);
    const size_t rounded = (size + OBJECT_ALIGNMENT - 1) & ~(size_t)(OBJECT_ALIGNMENT - 1);
    chunk *from = arena->newest;

    if (!from || from->capacity - from->used < rounded) from = add_chunk(arena, rounded);
    if (!from) return NULL;
    void *object = from->data + from->used;
    from->used += rounded;
    return object;
}

char *ren__arena_strdup(ren__arena *arena, const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = ren__arena_alloc(arena, size);

    if (copy) memcpy(copy, text, size);
    return copy;
}

void ren__arena_free(ren__arena *arena) {
    if (!arena) return;
    ren_context *context = arena->context;

    for (chunk *each = arena->newest, *next; each; each = next) {
        next = each->next;
        ren__free(each);
    }
    ren__free(arena);
    ren__context_release(context);
}
